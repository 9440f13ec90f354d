//! `dump` and `save`: write the list of apps to the file that `resurrect` reads. `cleardump` empties it.

use anyhow::{Context, Result, bail};
use durable::{Access, Directory};
use ps_cli::exit::Outcome;
use serde_json::Value;

use crate::book::Book;
use crate::home::Home;
use crate::json_list::{Element, Environment, Ordered, described};
use crate::row;
use crate::say;
use crate::session::Session;

/// The file, in pm2's directory.
pub(crate) const FILE: &str = "dump.pm2";
/// What pm2 leaves out.
const LEFT_OUT: [&str; 2] = ["instances", "pm_id"];

/// Writes the dump, and prints that it has.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    say::fact("Dumping processes")?;
    say::plain("Processing......")?;
    let _lock = session.home.lock()?;
    write(session)?;
    Ok(Outcome::Done)
}

/// Writes the dump.
pub(crate) fn write(session: &Session) -> Result<()> {
    let book = Book::read(&session.home)?;
    let rows = row::rows(&session.home, &book)?;
    let is_save = session.args.words.first().is_some_and(|word| word == "save");
    if rows.is_empty() && is_save && !session.args.force {
        bail!("there is no app to save: --force saves that, and forgets what was saved before");
    }
    let is_kept = |(key, _): &(String, Value)| !LEFT_OUT.contains(&key.as_str());
    let entry = |keys: Vec<(String, Value)>| {
        Ordered(keys.into_iter().filter(is_kept).map(|(key, value)| (key, Element::Plain(value))).collect())
    };
    let entries: Vec<Ordered> = rows.iter().map(|row| entry(described(row, Environment::Whole))).collect();
    put(&session.home, &serde_json::to_vec(&entries)?)
}

/// `cleardump`: nothing is resurrected any more.
pub(crate) fn clear(session: &Session) -> Result<Outcome> {
    let _lock = session.home.lock()?;
    put(&session.home, b"[]")?;
    Ok(Outcome::Done)
}

fn put(home: &Home, json: &[u8]) -> Result<()> {
    let write = || -> Result<(), durable::WriteError> {
        let directory = Directory::open(home.directory(), home.directory())?;
        directory.write(FILE, json, Access::like(home.directory(), 0o600))?;
        directory.abandon();
        Ok(())
    };
    write().with_context(|| format!("write {}", home.directory().join(FILE).display()))
}
