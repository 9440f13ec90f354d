//! Reads a journal repeatedly, and returns the new entries each time.

use durable::ReadError;
use formation::AppName;
use ps_apps::World;

use crate::event::Entry;
use crate::journal::Journal;

/// A journal, and the position up to which it was read.
#[derive(Debug)]
pub struct Unread<'a> {
    world: &'a World,
    app: &'a AppName,
    last: Option<Entry>,
    unreadable: usize,
    /// The inode and the length of the file at that time.
    state: Option<(u64, u64)>,
}

/// The entries that were added since a journal was last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The new entries, the oldest first.
    pub entries: Vec<Entry>,
    /// How many lines of the journal are not readable, if the number has grown.
    pub unreadable: Option<usize>,
}

impl<'a> Unread<'a> {
    /// The journal of an app, from its beginning. The file need not exist.
    pub fn of(world: &'a World, app: &'a AppName) -> Self {
        Self { world, app, last: None, unreadable: 0, state: None }
    }

    /// Continues behind this entry, up to which the journal was read before.
    #[must_use]
    pub fn behind(self, last: Option<Entry>) -> Self {
        Self { last, ..self }
    }

    /// The last entry that was read.
    pub fn last(&self) -> Option<&Entry> {
        self.last.as_ref()
    }

    /// The app.
    pub fn app(&self) -> &'a AppName {
        self.app
    }

    /// The entries that were added since the last call. The older half of a journal may have been removed
    /// meanwhile.
    pub fn news(&mut self) -> Result<News, ReadError> {
        let journal = Journal::of(self.world, self.app);
        // The state is taken first, so that an entry that is written meanwhile is read twice rather than
        // never.
        let state = journal.state();
        if state.is_some() && state == self.state {
            return Ok(News::default());
        }
        self.state = state;
        let mut contents = journal.read()?;
        let unreadable = Some(contents.unreadable).filter(|unreadable| *unreadable > self.unreadable);
        self.unreadable = contents.unreadable;
        let is_read = |entry: &Entry| self.last.as_ref() == Some(entry);
        let entries = match contents.entries.iter().rposition(is_read) {
            Some(last) => contents.entries.split_off(last + 1),
            None => contents.entries,
        };
        self.last = entries.last().cloned().or(self.last.take());
        Ok(News { entries, unreadable })
    }
}
