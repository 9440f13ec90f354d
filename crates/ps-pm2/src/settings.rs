//! The supervisor's settings of a declaration, as keys of app.json (docs/settings.md).

use anyhow::Result;
use procfile_exchange::pm2::{self, Declaration, KILL_TIMEOUT};
use serde_json::{Map, Value};

use crate::book::Sharing;

/// Seconds for what ps-node does after the last connection of its process, or at the end of its patience.
const GOODBYE: u64 = 2;

/// The settings of the one process type of an app.
pub(crate) fn of(
    declared: &Declaration,
    has_address: bool,
    sharing: Option<&Sharing>,
) -> Result<Map<String, Value>> {
    let mut settings = pm2::settings(declared)?;
    let mut set = |name: &str, value: Value| drop(settings.insert(name.to_owned(), value));
    if let Some(sharing) = sharing {
        // ps-node says when its process is ready, and ends it.
        set("ready", "notify".into());
        set("stop_tree", "main".into());
        set("stop_timeout_seconds", (sharing.drain_seconds + GOODBYE).into());
        // What only says nothing is ready at the limit. In a reload, where it is not, the supervisor ends it a little later.
        if let Some(limit) = sharing.ready_limit.filter(|_| declared.get("listen_timeout").is_some()) {
            set("start_timeout_seconds", (limit + GOODBYE).into());
        }
    } else {
        set("ready", if has_address { "listening" } else { "alive" }.into());
        let kill = declared.number("kill_timeout")?.unwrap_or(KILL_TIMEOUT);
        set("stop_timeout_seconds", kill.div_ceil(1000).into());
    }
    Ok(settings)
}
