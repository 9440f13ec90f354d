//! `kill`: ends all apps and removes them from the list. The dump is kept.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::home::Home;
use crate::say;
use crate::session::Session;
use crate::target::Target;

/// Ends everything.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    everything(&session.home)?;
    say::plain("Daemon killed")?;
    Ok(Outcome::Done)
}

/// The same, without a word.
pub(crate) fn everything(home: &Home) -> Result<()> {
    let _lock = home.lock()?;
    let mut book = Book::read(home)?;
    let ids = Target::All.ids(&book);
    fleet::delete(home, &mut book, &ids)?;
    book.next_id = 0;
    book.write(home)
}
