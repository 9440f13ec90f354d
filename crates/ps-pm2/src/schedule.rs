//! What a schedule does to an app: `ps-pm2 --on-schedule HOME APP`. APP is the name of our app, because several apps may
//! have the name that pm2 knows, and ids change.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::home::Home;
use crate::launch::ON_SCHEDULE;

/// Restarts all instances of an app.
pub(crate) fn run(words: &[OsString]) -> Result<Outcome> {
    let [home, name] = words else { return Err(anyhow!("{ON_SCHEDULE}: HOME and APP are wanted")) };
    let home = Home::at(Path::new(home));
    let _lock = home.lock()?;
    let mut book = Book::read(&home)?;
    let app = book.apps.iter().find(|app| OsString::from(&app.ours) == *name);
    let app = app.context("there is no such app any more")?;
    let ids: Vec<u64> = app.instances.iter().map(|instance| instance.id).collect();
    fleet::restart(&home, &mut book, &ids)?;
    Ok(Outcome::Done)
}
