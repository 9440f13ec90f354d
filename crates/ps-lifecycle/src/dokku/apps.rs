//! Which apps a caller inside Dokku means, and which of them it may see (docs/contract.md#apps).

use anyhow::Result;
use formation::AppName;
use ps_cli::exit::Refusal;

use crate::session::Session;

/// The app of that name. One that a plugin hides from the caller gives the same error as one that does not exist.
pub(crate) fn named(session: &Session, word: Option<&str>) -> Result<AppName> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Err(no_app()) };
    ps_triggers::visible_app(&session.world, word)
}

/// Every app that the caller may see, sorted.
pub(crate) fn every(session: &Session) -> Result<Vec<AppName>> {
    let all = session.world.apps()?.into_iter().map(|app| app.name).collect();
    Ok(ps_triggers::visible(&session.world, all)?)
}

/// Dokku's word for a command without an app.
pub(crate) fn no_app() -> anyhow::Error {
    Refusal::failed(ps_dokku::words::NO_APP)
}
