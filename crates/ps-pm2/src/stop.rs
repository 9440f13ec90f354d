//! `stop`: ends instances, which stay in the list.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target::{self, Target, WHICH};

/// Stops each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let words = target::words(session, WHICH)?;
    say::plain("Processing......")?;
    for word in words {
        let _lock = session.home.lock()?;
        let book = Book::read(&session.home)?;
        let target = target::parse(session, &book, word)?;
        match &target {
            Target::All => (),
            Target::Id(word, _) => say::fact(format_args!("Stopping process by id {word}"))?,
            Target::Name(name) => say::fact(format_args!("Stopping process by name {name}"))?,
            Target::Declared { names, .. } => target::tell_each(names)?,
        }
        let ids = target::found(&book, &target)?;
        fleet::stop(&session.home, &book, &ids)?;
        if matches!(target, Target::Id(..)) {
            say::fact(" Process stopped")?;
        }
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}
