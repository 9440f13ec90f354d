//! `list`, `jlist`, `prettylist`: the list of apps.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::row::{self, Row};
use crate::session::Session;
use crate::{blocks, json_list, pretty_list, table};

/// The table, or blocks with `-m`.
pub(crate) fn table(session: &Session) -> Result<Outcome> {
    if session.args.silent {
        return Ok(Outcome::Done);
    }
    with_rows(session, if session.args.mini_list { blocks::print } else { table::print })
}

/// One line of JSON.
pub(crate) fn json(session: &Session) -> Result<Outcome> {
    with_rows(session, json_list::print)
}

/// Objects as Node shows them.
pub(crate) fn pretty(session: &Session) -> Result<Outcome> {
    with_rows(session, pretty_list::print)
}

fn with_rows(session: &Session, print: impl FnOnce(&[Row<'_>]) -> std::io::Result<()>) -> Result<Outcome> {
    let book = Book::read(&session.home)?;
    print(&row::rows(&session.home, &book)?)?;
    Ok(Outcome::Done)
}
