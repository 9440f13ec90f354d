//! What is not done while a pm2 of npm runs in the same home. Both would write its pid file, its dump and the logs there, and `kill` of
//! one would not know what the other runs. So nothing is started beside it, and its files stay as they are.

use anyhow::{Result, bail};

use crate::another::Another;
use crate::book::Book;
use crate::home::Home;
use crate::say;

/// Commands that touch nothing, or only what is named elsewhere.
const HARMLESS: [&str; 6] = ["import", "ping", "generate", "init", "ecosystem", "unstartup"];
/// Commands about apps that are here already, such as those that an import has taken over so far.
const OF_APPS_HERE: [&str; 31] = [
    "stop",
    "restart",
    "delete",
    "del",
    "reload",
    "gracefulReload",
    "sendSignal",
    "list",
    "ls",
    "l",
    "ps",
    "status",
    "jlist",
    "prettylist",
    "describe",
    "show",
    "info",
    "desc",
    "env",
    "id",
    "pid",
    "logs",
    "log",
    "monit",
    "m",
    "reset",
    "update",
    "updatePM2",
    "kill",
    "exit",
    "scale",
];

/// Refuses what would harm a pm2 that runs in this home, and warns of it where a command is about apps that are here already.
///
/// # Errors
/// Another pm2 runs there, and the command would start something beside it or overwrite its files.
pub(crate) fn judge(home: &Home, verb: Option<&str>) -> Result<()> {
    let Some(verb) = verb.filter(|verb| !HARMLESS.contains(verb)) else { return Ok(()) };
    let Some(another) = Another::in_home(home.directory()) else { return Ok(()) };
    let (name, place) = (another.name(), home.directory().display());
    let has_apps = Book::read(home).is_ok_and(|book| !book.apps.is_empty());
    if has_apps && OF_APPS_HERE.contains(&verb) {
        say::warning(format_args!(
            "{name} runs in {place}, and its apps are not meant: ps-pm2 import takes over what it has"
        ));
        return Ok(());
    }
    bail!(
        "{verb}: {name} runs in {place}, and two cannot share it: ps-pm2 import takes over what it has; with another PM2_HOME both can run"
    )
}
