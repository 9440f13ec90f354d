//! `restart`: ends instances and starts them again; starts those that do not run.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::redeclared;
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target::{self, Target, WHICH};

/// Restarts each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let words = target::words(session, WHICH)?;
    say::plain("Processing......")?;
    for word in words {
        let _lock = session.home.lock()?;
        let mut book = Book::read(&session.home)?;
        let target = target::parse(session, &book, word)?;
        match &target {
            Target::All => (),
            Target::Id(word, _) => say::fact(format_args!("Restarting process by id {word}"))?,
            Target::Name(name) => say::fact(format_args!("Restarting process by name {name}"))?,
            Target::Declared { .. } => say::fact(format_args!("Restarting process by name {word}"))?,
        }
        let ids = target::found(&book, &target)?;
        session.update_variables(&mut book, &ids)?;
        let renewals = redeclared::of_target(session, &book, &target, &ids)?;
        redeclared::carry_out(session, &mut book, &renewals, |book| {
            fleet::restart(&session.home, book, &ids)
        })?;
        tell(word, &target, &book, &ids)?;
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// pm2 says that a file is restarted once the first of its apps has been asked for: what there is of it takes a while to restart, and what
/// there is not is named at once.
fn tell(word: &str, target: &Target, book: &Book, ids: &[u64]) -> Result<()> {
    if let Target::Declared { names, .. } = target {
        let at_once = usize::from(ids.is_empty()).min(names.len());
        let (first, others) = names.split_at(at_once);
        target::tell_each(first)?;
        say::fact(format_args!("Process {word} restarted"))?;
        target::tell_each(others)?;
        return Ok(());
    }
    if *target != Target::All {
        say::fact(format_args!("Process {word} restarted"))?;
        return Ok(());
    }
    for (app, _) in ids.iter().filter_map(|id| book.instance(*id)) {
        say::fact(format_args!("Process {} restarted", app.name))?;
    }
    say::fact("Process restarted...")?;
    Ok(())
}
