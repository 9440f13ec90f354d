//! `reload` and `gracefulReload`: the old instances end after the new ones are ready. Two instances of an app that
//! listens on a port of its own choice cannot run at the same time, so its old instances end first, and a message says
//! so.

use std::collections::BTreeSet;

use anyhow::{Context, Error, Result, anyhow};
use formation::Slot;
use os_process::Listeners;
use ps_cli::exit::Outcome;

use crate::book::{App, Book};
use crate::fleet::{self, Turn};
use crate::launch;
use crate::redeclared;
use crate::row::{self, Row, Status};
use crate::say;
use crate::session::Session;
use crate::sharing;
use crate::table;
use crate::target::{self, Target};

/// What a process has not done that was not ready.
const WORD_OF_PS_NODE: &str = "say READY=1";

/// Reloads each of the words.
pub(crate) fn run(session: &Session, manner: Manner) -> Result<Outcome> {
    let words = target::words(session, "name|all")?;
    say::plain("Processing......")?;
    for word in words {
        let _lock = session.home.lock()?;
        let mut book = Book::read(&session.home)?;
        let target = target::parse(session, &book, word)?;
        if target != Target::All {
            say::fact(format_args!("Reloading process by name {word}"))?;
        }
        let ids = target::found(&book, &target)?;
        session.update_variables(&mut book, &ids)?;
        let renewals = redeclared::of_target(session, &book, &target, &ids)?;
        redeclared::carry_out(session, &mut book, &renewals, |book| reload(session, book, &ids, manner))?;
    }
    say::fact("All processes reloaded")?;
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// Reloads the apps of these instances. What was given up is started; what was stopped is left alone.
pub(crate) fn reload(session: &Session, book: &mut Book, ids: &[u64], manner: Manner) -> Result<()> {
    let whole = book.clone();
    for (app, instances) in fleet::by_app(&whole, ids) {
        let meant: BTreeSet<Slot> = instances.iter().map(|instance| instance.slot()).collect();
        fleet::refuse_without_script(app)?;
        let mut rows = row::rows_of(&session.home, vec![app])?;
        rows.retain(|row| ids.contains(&row.instance.id));
        let at_rest = AtRest::of(&rows);
        let reloaded = if app.sharing.is_some() {
            on_trial(session, book, (app, &meant), manner, &rows).map_err(|why| as_pm2_says(app, why))
        } else {
            fleet::reload(&session.home, app, &meant, turn(app, &rows))
        };
        let reloaded =
            reloaded.with_context(|| format!("{} is not reloaded, and runs on as it was", app.name))?;
        for instance in app.instances.iter().filter(|instance| reloaded.contains(&instance.slot())) {
            if let Some(kept) = book.instance_mut(instance.id) {
                kept.restarts += 1;
            }
        }
        book.write(&session.home)?;
        fleet::restart(&session.home, book, &at_rest.errored)?;
        tell(app, &reloaded, &at_rest)?;
    }
    Ok(())
}

/// Why a process was not ready, in what its program had to do: `ps-node` says `READY=1` for it.
fn as_pm2_says(app: &App, why: Error) -> Error {
    let text = format!("{why:#}");
    if !text.contains(WORD_OF_PS_NODE) {
        return why;
    }
    let waits = app.sharing.is_some_and(|sharing| sharing.waits_ready);
    let deed = if waits { "call process.send('ready')" } else { "listen on a port" };
    anyhow!(text.replace(WORD_OF_PS_NODE, deed))
}

/// The instances of an app that had no process before a reload, by id.
struct AtRest {
    /// They stay so, as in pm2 0.7.2.
    stopped: Vec<u64>,
    /// They are started.
    errored: Vec<u64>,
}

impl AtRest {
    fn of(rows: &[Row<'_>]) -> Self {
        let ids = |status| {
            rows.iter().filter(|row| row.status == status).map(|row| row.instance.id).collect::<Vec<_>>()
        };
        Self { stopped: ids(Status::Stopped), errored: ids(Status::Errored) }
    }
}

/// pm2 says that a stopped instance in cluster mode is reloaded, and scripts compare that.
fn tell(app: &App, reloaded: &BTreeSet<Slot>, at_rest: &AtRest) -> Result<()> {
    for instance in &app.instances {
        let is_stopped = at_rest.stopped.contains(&instance.id);
        if is_stopped {
            say::warning(format_args!(
                "{} ({}) is stopped, and a reload starts nothing: ps-pm2 restart {1} does",
                app.name, instance.id
            ));
        }
        let is_told = is_stopped && app.is_cluster
            || at_rest.errored.contains(&instance.id)
            || reloaded.contains(&instance.slot());
        if is_told {
            say::fact(format_args!("Process {} succesfully reloaded", app.name))?;
        }
    }
    Ok(())
}

/// How the old processes leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// By signals only.
    Plain,
    /// Node programs in cluster mode get the message `shutdown` as well.
    Graceful,
}

/// Reloads an app with a `ps-node` above each process. A new process of an app that says when it is ready has to say so, and one of an app
/// that listens on shared ports has to listen.
fn on_trial(
    session: &Session,
    book: &mut Book,
    (app, meant): (&App, &BTreeSet<Slot>),
    manner: Manner,
    rows: &[Row<'_>],
) -> Result<BTreeSet<Slot>> {
    if manner == Manner::Graceful {
        sharing::announce_shutdown(&session.home, app)?;
    }
    let (turn, must_listen) = if app.shares_ports() {
        let mains: Vec<u32> = row::rows_of(&session.home, vec![app])?.iter().map(|row| row.main).collect();
        let ports = Listeners::default().ports_of(mains.into_iter().filter(|pid| *pid > 0));
        (Turn::NewFirst, !ports.is_empty())
    } else {
        (turn(app, rows), false)
    };
    book.begin_trial(&app.ours, must_listen);
    book.write(&session.home)?;
    let reloaded = fleet::reload(&session.home, app, meant, turn);
    // The demands hold for this reload alone. After a crash or a start by hand the app is ready by the usual rule.
    book.end_trial(&app.ours);
    book.write(&session.home)?;
    if reloaded.is_err() {
        rewrite_pids(session, app)?;
    }
    reloaded
}

/// The files say the pids of new processes that are gone again.
fn rewrite_pids(session: &Session, app: &App) -> Result<()> {
    for row in row::rows_of(&session.home, vec![app])?.iter().filter(|row| row.pid > 0) {
        for file in app.pid_files_of(row.instance.id) {
            launch::write_pid(&file, row.pid);
        }
    }
    Ok(())
}

/// Whether old and new instances of an app can be there at the same time.
fn turn(app: &App, rows: &[Row<'_>]) -> Turn {
    let pids = rows.iter().map(|row| row.pid).filter(|pid| *pid > 0);
    let ports: BTreeSet<u16> = Listeners::default().ports_of(pids);
    let Some(port) = ports.first().filter(|_| !app.has_address) else { return Turn::NewFirst };
    say::warning(format_args!(
        "{} listens on port {port} itself, so nobody answers there between its old and its new process",
        app.name
    ));
    Turn::OldFirst
}
