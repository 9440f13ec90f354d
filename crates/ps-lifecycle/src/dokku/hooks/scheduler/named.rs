//! The app that a hook is called for. It need not exist any more.

use anyhow::Result;
use formation::AppName;
use ps_cli::exit::Refusal;

/// The name that Dokku gave.
pub(super) fn named(app: &str) -> Result<AppName> {
    Ok(app.parse::<AppName>().map_err(ps_apps::Error::from)?)
}

/// What cannot be done with an app because of how it runs: natively, or on a swarm.
pub(super) fn refusal(app: &AppName, how: &str, why: &str) -> anyhow::Error {
    Refusal::failed(format!("App {app} runs {how}: {why}"))
}
