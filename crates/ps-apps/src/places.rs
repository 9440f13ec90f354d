//! Default places: the usual world, the list of worlds, and pm2's home.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Error;

/// Looks up a variable of the environment; a test passes a function of its own.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The directory of the usual world.
pub(crate) fn usual(variable: Variables<'_>) -> Result<PathBuf, Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/formation"));
    }
    Ok(of_the_user(variable).ok_or(Error::NoRoots)?.join("formation"))
}

/// The directory of the list of worlds.
pub(crate) fn list(variable: Variables<'_>) -> Option<PathBuf> {
    let own = of_the_user(variable).map(|state| state.join("formation"));
    own.or_else(|| usual(variable).ok())
}

/// `${XDG_STATE_HOME:-~/.local/state}`.
fn of_the_user(variable: Variables<'_>) -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    state.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")))
}

/// `PM2_HOME`, or `.pm2` in the user's home.
pub(crate) fn pm2_home(variable: Variables<'_>) -> Option<PathBuf> {
    let given = variable("PM2_HOME").map(PathBuf::from);
    let usual = || variable("HOME").map(|home| PathBuf::from(home).join(".pm2"));
    let home = given.or_else(usual)?;
    Some(std::path::absolute(&home).unwrap_or(home))
}
