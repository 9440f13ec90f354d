//! Ensures that only one process sends alerts about an app at a time. Other processes end at once. The working process
//! sends alerts about their entries too: it reads the journal once more after it has released the lock, and an entry
//! was written before its writer found the lock taken.

use std::fs::File;
use std::io::ErrorKind;

use anyhow::{Context, Result};
use formation::AppName;
use ps_alerts::Audience;
use ps_apps::World;
use ps_journal::Journal;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::courier::Courier;
use crate::desk::Desk;

/// Sends alerts about new events until there are no more, or until another process does so.
pub(crate) fn each(world: &World, app: &AppName) -> Result<()> {
    loop {
        let Some(turn) = take(world, app)? else { return Ok(()) };
        let journal = Journal::of(world, app);
        let audience = match Audience::of(world, app) {
            Ok(audience) => audience,
            Err(error) => {
                let what = format!("nobody is told: {error}");
                journal.happened(ps_alerts::ORIGIN, &[], None, &what, true, |_| ());
                return Err(error.into());
            }
        };
        let seen = Desk::open(world, app, Courier::new(world, app, audience)).work()?;
        drop(turn);
        if journal.state() == seen {
            return Ok(());
        }
    }
}

/// The lock of the app's directory; `None` if another process has it, or if nothing was ever recorded for the app.
fn take(world: &World, app: &AppName) -> Result<Option<File>> {
    let path = world.kept_dir(app);
    let directory = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("open {}", path.display()))?,
    };
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("lock {}", path.display())),
    }
}
