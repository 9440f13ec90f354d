//! The app that a hook is called for. It need not exist any more.

use anyhow::Result;
use formation::AppName;

/// The name that Dokku gave.
pub(super) fn named(app: &str) -> Result<AppName> {
    Ok(app.parse::<AppName>().map_err(ps_apps::Error::from)?)
}
