//! `kill`: ends all apps and removes them from the list. The dump is kept.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::target::Target;

/// Ends everything.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    let ids = Target::All.ids(&book);
    fleet::delete(&session.home, &mut book, &ids)?;
    book.next_id = 0;
    book.write(&session.home)?;
    say::plain("Daemon killed")?;
    Ok(Outcome::Done)
}
