//! The journal of the selected app.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_journal::Journal;

use super::thread::spawn;
use crate::message::Message;

/// How many entries are shown at most.
const LAST: usize = 1_000;
/// The pause before a journal is read again: it may have a mebibyte.
const REST: Duration = Duration::from_millis(200);

/// Reads the journal of the followed app.
#[derive(Clone)]
pub(crate) struct Journals {
    followed: Arc<Mutex<Option<AppName>>>,
    wake: Sender<()>,
}

impl Journals {
    pub(crate) fn begin(world: &World, to: SyncSender<Message>) -> Self {
        let (wake, woken) = channel();
        let journals = Self { followed: Arc::default(), wake };
        let (followed, world, last) = (Arc::clone(&journals.followed), world.clone(), to.clone());
        spawn("journal", &last, move || read(&followed, &world, &woken, &to));
        journals
    }

    /// Shows the journal of this app from now on.
    pub(crate) fn follow(&self, app: &AppName) {
        *self.followed.lock().unwrap_or_else(PoisonError::into_inner) = Some(app.clone());
        let _ = self.wake.send(());
    }

    /// Reports that the journal of an app has grown.
    pub(crate) fn changed(&self, app: &AppName) {
        if self.followed.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(app) {
            let _ = self.wake.send(());
        }
    }
}

fn read(followed: &Mutex<Option<AppName>>, world: &World, woken: &Receiver<()>, to: &SyncSender<Message>) {
    while woken.recv().is_ok() {
        woken.try_iter().for_each(drop);
        let app = followed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(app) = app else { continue };
        // A journal that cannot be read is shown as empty: `ps-lifecycle events` says why.
        let mut entries = Journal::of(world, &app).read().unwrap_or_default().entries;
        entries.drain(..entries.len().saturating_sub(LAST));
        if to.send(Message::Events { app, entries }).is_err() {
            return;
        }
        thread::sleep(REST);
    }
}
