//! The user that the program runs as. It must start as root to bind a port below 1024, but need not be root to serve
//! clients.

use anyhow::{Context, Result};
use os_process::Identity;
use ps_cli::exit::Refusal;

/// Changes the user and the group of this process for good, and gives up the means to get others. Its sockets and its limits stay. Called
/// while there is one thread.
///
/// # Errors
/// There is no such user or group, or this process may not become it.
pub(crate) fn assume(user: &str, group: Option<&str>) -> Result<()> {
    let identity = Identity::of(Some(user), group).map_err(|unknown| Refusal::failed(unknown.to_string()))?;
    if !identity.is_own() {
        identity.assume().with_context(|| format!("become user {user}"))?;
    }
    rustix::thread::set_no_new_privs(true).context("give up new privileges")
}
