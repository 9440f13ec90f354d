//! `reload` and `gracefulReload`: new instances prove themselves before the old ones end. An app that listens on a port of its own
//! choice cannot have two at a time, so its old instances end first, which is said.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use os_process::Listeners;
use ps_cli::exit::Outcome;

use crate::book::{App, Book};
use crate::fleet::{self, Turn};
use crate::row::{self, Row};
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target::{self, Target};

/// Reloads each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
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
        reload(session, &mut book, &ids)?;
    }
    say::fact("All processes reloaded")?;
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// Reloads the apps of these instances; those that do not run are left alone.
pub(crate) fn reload(session: &Session, book: &mut Book, ids: &[u64]) -> Result<()> {
    let whole = book.clone();
    for (app, _) in fleet::by_app(&whole, ids) {
        fleet::refuse_without_script(app)?;
        let rows = row::rows_of(&session.home, vec![app])?;
        let turn = turn(app, &rows);
        let reloaded = fleet::reload(&session.home, app, turn);
        let reloaded =
            reloaded.with_context(|| format!("{} is not reloaded, and runs on as it was", app.name))?;
        for instance in app.instances.iter().filter(|instance| reloaded.contains(&instance.slot())) {
            if let Some(kept) = book.instance_mut(instance.id) {
                kept.restarts += 1;
            }
            say::fact(format_args!("Process {} succesfully reloaded", app.name))?;
        }
        book.write(&session.home)?;
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
