//! `delete`: ends instances and removes them from the list.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target::{self, Target};

/// Deletes each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    for word in target::words(session, "name|id|script|all|json_file")? {
        let _lock = session.home.lock()?;
        let mut book = Book::read(&session.home)?;
        let target = target::parse(session, &book, word)?;
        match &target {
            Target::All => say::fact("Stopping and deleting all processes")?,
            Target::Id(word, _) => say::plain(format_args!("Stopping and deleting process by id : {word}"))?,
            Target::Name(name) => say::fact(format_args!("Stopping and deleting process by name {name}"))?,
            Target::Declared { names, .. } => target::tell_each(names)?,
        }
        let ids = target::found(&book, &target)?;
        fleet::delete(&session.home, &mut book, &ids)?;
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}
