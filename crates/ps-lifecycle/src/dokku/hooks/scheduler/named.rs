//! The app for which a hook is called. It may have been destroyed already.

use anyhow::Result;
use formation::AppName;
use ps_cli::exit::Refusal;

/// Parses the name that Dokku gave.
pub(super) fn named(app: &str) -> Result<AppName> {
    Ok(app.parse::<AppName>().map_err(ps_apps::Error::from)?)
}

/// The error that something cannot be done with an app because it runs natively, or on a swarm.
pub(super) fn refusal(app: &AppName, how: &str, why: &str) -> anyhow::Error {
    Refusal::failed(format!("App {app} runs {how}: {why}"))
}
