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
const WITH_TABLE: [&str; 17] = [
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
    "ps",
    "status",
    "reload",
    "gracefulReload",
    "sendSignal",
    "resurrect",
    "web",
];

/// Does what the first word says.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let before = if session.args.no_daemon { foreground::running(session)? } else { Vec::new() };
    let outcome = once(session)?;
    let prints_table = session.args.words.first().is_some_and(|verb| WITH_TABLE.contains(&verb.as_str()));
    if session.args.no_daemon && prints_table && matches!(outcome, Outcome::Done) {
        return foreground::stay(session, &before);
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
        "list" | "ls" | "l" | "ps" | "status" => list::table(session),
        "jlist" => list::json(session),
        "prettylist" => list::pretty(session),
        "update" | "updatePM2" => update::run(session),
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
        "init" | "ecosystem" => generate::ecosystem(session),
        "ping" => {
            say::plain("{ msg: 'pong' }")?;
            Ok(Outcome::Done)
        }
        _ => {
            if let Some(why) = refused(verb) {
                bail!("{verb}: {why}");
            }
            say::fact("")?;
            say::plain("Command not found")?;
            args::help()?;
            Ok(Outcome::No)
        }
    }
}

/// Why a command of pm2 is not offered.
fn refused(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "interact" | "link" | "plus" | "register" | "login" | "logout" | "monitor" | "open" => {
            "pm2's service on the net is not spoken to, because it would see what your apps write: ps-pm2 list and logs show it"
        }
        "killInteract" | "unlink" | "unmonitor" => "there is nothing to end, because it was never begun",
        // Logs are opened by the apps, for appending: one that was moved away is theirs until they are restarted.
        "reloadLogs" => "apps write their logs themselves; empty a log, or restart the app",
        "set" | "get" | "unset" | "multiset" | "conf" | "config" => {
            "pm2's own settings are for its modules, and there are none; options are variables, or lines of custom_options.sh"
        }
        "logrotate" => {
            "apps write their logs themselves: have logrotate copy and truncate them (copytruncate), or ps-pm2 flush empties them"
        }
        "report" | "slist" | "sysinfos" => {
            "ps-pm2 jlist and ps-lifecycle status --world pm2 say what runs, ps-explain NAME --world pm2 why something does not"
        }
        "imonit" | "dashboard" | "dash" => "ps-pm2 monit shows what runs, and ps-pm2 logs what it writes",
        "autoinstall" | "create" | "examples" => {
            "ps-pm2 init writes an ecosystem.json, and ps-pm2 start FILE starts it"
        }
        "completion" => "scripts/install puts the completions of your shell in their place",
        "deepUpdate" => {
            "scripts/install installs another version, and ps-pm2 update has the supervisors become it"
        }
        "install" | "uninstall" | "module:list" | "module:update" | "module:install" | "module:uninstall"
        | "module:generate" | "module:publish" | "package" | "publish" | "install-otel"
        | "uninstall-otel" => {
            "a module runs inside pm2's daemon, and there is none: start what it does as an app"
        }
        "deploy" | "pull" | "forward" | "backward" => {
            "source is fetched by git or by your deploy script, which then calls ps-pm2 startOrReload FILE"
        }
        "serve" | "expose" => {
            "no web server is offered: start one as an app, such as ps-pm2 start 'python3 -m http.server 8080'"
        }
        "trigger" | "send" | "attach" | "inspect" | "profile:cpu" | "profile:mem" => {
            "pm2 asks its module inside the app for that, and there is none: ps-pm2 sendSignal sends a signal"
        }
        _ => return None,
    })
}
