//! `update`: upgrades each supervisor to the installed program. No app is restarted.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::table;

/// Brings each supervisor to the installed build, as every verb that connects to a supervisor does.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let _lock = session.home.lock()?;
    let book = Book::read(&session.home)?;
    for app in &book.apps {
        // Any request to a supervisor of another build makes it execute the installed program first.
        fleet::start(&session.home, app, &[])?;
    }
    say::fact("The supervisors are those that are installed, and the apps run on")?;
    table::print_all(session)?;
    Ok(Outcome::Done)
}
