//! `reset`: sets the counts of restarts to 0.

use anyhow::Result;
use formation::Which;
use ps_cli::exit::Outcome;
use ps_scheduler::Scheduler;

use crate::book::Book;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target;

/// Resets each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    for word in target::words(session, "name|id|all")? {
        let _lock = session.home.lock()?;
        let mut book = Book::read(&session.home)?;
        let ids = target::found(&book, &target::parse(session, &book, word)?)?;
        for (app, instances) in fleet::by_app(&book, &ids) {
            for instance in instances {
                session.home.native().reset(&app.app_name()?, &Which::Slot(instance.slot()))?;
                say::fact(format_args!("Resetting meta for process id {}", instance.id))?;
            }
        }
        for id in ids {
            if let Some(instance) = book.instance_mut(id) {
                instance.restarts = 0;
            }
        }
        book.write(&session.home)?;
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}
