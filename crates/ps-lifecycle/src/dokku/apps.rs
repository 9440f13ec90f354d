//! The apps that a caller inside Dokku names, and which of them the caller may see (docs/contract.md#apps).

use anyhow::Result;
use formation::AppName;
use ps_cli::exit::Refusal;

use crate::session::Session;

/// The app of that name. If a plugin hides the app from the caller, the error is the same as for an app that does not
/// exist.
pub(crate) fn named(session: &Session, word: Option<&str>) -> Result<AppName> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Err(no_app()) };
    ps_triggers::visible_app(&session.world, word)
}

/// Every app that the caller may see, sorted.
pub(crate) fn every(session: &Session) -> Result<Vec<AppName>> {
    let all = session.world.apps()?.into_iter().map(|app| app.name).collect();
    Ok(ps_triggers::visible(&session.world, all)?)
}

/// Dokku's message for a command without an app.
pub(crate) fn no_app() -> anyhow::Error {
    Refusal::failed(ps_dokku::words::NO_APP)
}
