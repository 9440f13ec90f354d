//! `flush`: empties logs, of all apps or of some. The apps continue at the beginning of their files.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::say;
use crate::session::Session;
use crate::target::{self, Target};

/// Empties them.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let book = Book::read(&session.home)?;
    let ids = match session.subjects() {
        [] => {
            let diary = session.home.diary();
            say::fact(format_args!("Flushing {}", diary.display()))?;
            empty(&diary)?;
            Target::All.ids(&book)
        }
        words => {
            let mut ids = Vec::new();
            for word in words {
                ids.extend(target::found(&book, &target::parse(session, &book, word)?)?);
            }
            ids
        }
    };
    for (app, instance) in ids.iter().filter_map(|id| book.instance(*id)) {
        say::fact("Flushing")?;
        for log in [app.out_of(instance.id), app.err_of(instance.id)] {
            say::fact(log.display())?;
            empty(&log)?;
        }
    }
    Ok(Outcome::Done)
}

fn empty(log: &Path) -> Result<()> {
    match OpenOptions::new().write(true).truncate(true).open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened.map(drop).with_context(|| format!("empty {}", log.display())),
    }
}
