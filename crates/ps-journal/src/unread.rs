//! Reads a journal repeatedly, and returns the new entries each time.

use durable::ReadError;
use formation::AppName;
use ps_apps::World;

use crate::event::Entry;
use crate::journal::Journal;

/// A journal, and up to where it was read.
#[derive(Debug)]
pub struct Unread<'a> {
    world: &'a World,
    app: &'a AppName,
    last: Option<Entry>,
    unreadable: usize,
    /// Which file that was, and how long.
    state: Option<(u64, u64)>,
}

/// What has come since a journal was last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The new entries, the oldest first.
    pub entries: Vec<Entry>,
    /// How many lines of the journal are not readable, where they have become more.
    pub unreadable: Option<usize>,
}

impl<'a> Unread<'a> {
    /// The journal of an app, of which nothing was read yet. It need not exist.
    pub fn of(world: &'a World, app: &'a AppName) -> Self {
        Self { world, app, last: None, unreadable: 0, state: None }
    }

    /// The journal of an app, which was read up to this entry before.
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

    /// What was written since. The older half of a journal may have been removed meanwhile.
    pub fn news(&mut self) -> Result<News, ReadError> {
        let journal = Journal::of(self.world, self.app);
        // The state is taken first: what is written meanwhile is read twice and not never.
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
