//! The state of all apps at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use formation::AppName;
use jiff::Timestamp;
use ps_rows::StatusRow;
use serde::Serialize;

/// The state of all apps at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The number of the event that reported this state, or of an earlier event with the same state.
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    /// The time by the monotonic clock; `None` if the schedulers were not asked yet.
    pub(crate) taken: Option<Instant>,
    pub(crate) apps: BTreeMap<AppName, Arc<Vec<StatusRow>>>,
    pub(crate) silent: Vec<Silence>,
}

/// A question without an answer: the shown state of these apps is old. Or what is wrong with an app whose state is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Silence {
    pub(crate) apps: Vec<String>,
    /// The reason, for people.
    pub(crate) reason: String,
    #[serde(skip)]
    pub(crate) is_known: bool,
}

impl Silence {
    /// Nothing new is known of these apps.
    pub(crate) fn of(apps: Vec<String>, reason: String) -> Self {
        Self { apps, reason, is_known: false }
    }

    /// What is wrong with an app.
    pub(crate) fn trouble(app: &str, reason: String) -> Self {
        Self { apps: vec![app.to_owned()], reason, is_known: true }
    }
}

impl Snapshot {
    pub(crate) fn empty() -> Self {
        Self { number: 0, at: Timestamp::UNIX_EPOCH, taken: None, apps: BTreeMap::new(), silent: Vec::new() }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &StatusRow> {
        self.apps.values().flat_map(|rows| rows.iter())
    }
}

/// The key of a row, which no other row has: `shop/web.1@17`.
pub(crate) fn key(row: &StatusRow) -> String {
    let run = row.run.map(|run| format!("@{run}")).unwrap_or_default();
    format!("{}/{}.{}{run}", row.app, row.process_type, row.index)
}
