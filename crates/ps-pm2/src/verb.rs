//! Finds the verb of a word, and runs it.

use anyhow::{Result, bail};
use ps_cli::exit::Outcome;

use crate::args;
use crate::reload::Manner;
use crate::say;
use crate::session::Session;
use crate::start::Again;
use crate::{
    boot, delete, describe, dump, flush, foreground, generate, import, kill, list, logs, monit, reload,
    reset, restart, resurrect, scale, send_signal, start, stop, update, web,
};

/// The commands that print the table at their end: with `--no-daemon` they stay.
const WITH_TABLE: [&str; 16] = [
    "start",
    "startOrRestart",
    "startOrReload",
    "startOrGracefulReload",
    "stop",
    "restart",
    "delete",
    "list",
    "ls",
    "l",
    "status",
    "reload",
    "gracefulReload",
    "sendSignal",
    "resurrect",
    "web",
];

/// Does what the first word says.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let outcome = once(session)?;
    let prints_table = session.args.words.first().is_some_and(|verb| WITH_TABLE.contains(&verb.as_str()));
    if session.args.no_daemon && prints_table && matches!(outcome, Outcome::Done) {
        return foreground::stay(session);
    }
    Ok(outcome)
}

fn once(session: &Session) -> Result<Outcome> {
    let Some(verb) = session.args.words.first() else {
        args::help()?;
        return Ok(Outcome::No);
    };
    match verb.as_str() {
        "start" => start::run(session),
        "startOrRestart" => start::or_again(session, Again::Restart),
        "startOrReload" => start::or_again(session, Again::Reload(Manner::Plain)),
        "startOrGracefulReload" => start::or_again(session, Again::Reload(Manner::Graceful)),
        "stop" => stop::run(session),
        "restart" => restart::run(session),
        "delete" | "del" => delete::run(session),
        "list" | "ls" | "l" | "status" => list::table(session),
        "jlist" => list::json(session),
        "prettylist" => list::pretty(session),
        "update" => update::run(session),
        "import" => import::run(session),
        "kill" | "exit" => kill::run(session),
        "reload" => reload::run(session, Manner::Plain),
        "gracefulReload" => reload::run(session, Manner::Graceful),
        "sendSignal" => send_signal::run(session),
        "dump" | "save" => dump::run(session),
        "cleardump" => dump::clear(session),
        "resurrect" => resurrect::run(session),
        "logs" | "log" => logs::run(session),
        "flush" => flush::run(session),
        "describe" | "show" | "info" | "desc" => describe::run(session),
        "env" => describe::env(session),
        "id" => describe::id(session),
        "pid" => describe::pid(session),
        "scale" => scale::run(session),
        "reset" => reset::run(session),
        "generate" => generate::run(session),
        "startup" => boot::run(session, "enable"),
        "unstartup" => boot::run(session, "disable"),
        "monit" | "m" => monit::run(session),
        "web" => web::run(session),
        "interact" | "link" => bail!(
            "{verb}: pm2's service on the net is not spoken to, because it would see what your apps write: ps-pm2 list and logs show it"
        ),
        "killInteract" | "unlink" => bail!("{verb}: there is nothing to end, because {verb} was never begun"),
        // Logs are opened by the apps, for appending: one that was moved away is theirs until they are restarted.
        "reloadLogs" => {
            bail!("reloadLogs: apps write their logs themselves; empty a log, or restart the app")
        }
        "ping" => {
            say::plain("{ msg: 'pong' }")?;
            Ok(Outcome::Done)
        }
        _ => {
            say::fact("")?;
            say::plain("Command not found")?;
            args::help()?;
            Ok(Outcome::No)
        }
    }
}
