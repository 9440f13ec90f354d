//! Passes events of an app to whoever records them. This module does not know who that is, and where the record is
//! stored.

mod decisions;
mod thrift;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use formation::{LifeEvent, LifeOfSlot, RestartReason, Slot};

pub(crate) use decisions::Decision;
pub use decisions::{Otherwise, Replayed, recorded, replay};
use thrift::Thrift;

/// What is written down of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An event without a request, for example a restart because files have changed.
    Happening(Happening),
    /// A step in the life of an instance.
    Life(LifeOfSlot),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What gave rise to it.
    pub occasion: Occasion,
    /// What it happened to.
    pub slots: Vec<Slot>,
    /// The run, if it is about one.
    pub run: Option<u64>,
    /// What happened, for people: one sentence without a full stop.
    pub what: String,
    /// Whether it is a failure.
    pub is_failure: bool,
}

/// The cause of something that no person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A schedule.
    Schedule,
    /// Files that have changed.
    Files,
    /// Memory: the kernel has killed for want of it, or an instance used more than it should.
    Memory,
    /// The certificate of the app's address: its files have changed.
    Certificate,
    /// The file system of the service directory.
    Disk,
}

impl Occasion {
    /// Its name, one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Files => "watch",
            Self::Memory => "memory",
            Self::Certificate => "certificate",
            Self::Disk => "disk",
        }
    }

    /// As what the restarts count that it causes; `None`: it causes none.
    pub(crate) fn reason(self) -> Option<RestartReason> {
        match self {
            Self::Schedule => Some(RestartReason::Schedule),
            Self::Files => Some(RestartReason::Watch),
            Self::Memory => Some(RestartReason::Memory),
            Self::Certificate | Self::Disk => None,
        }
    }
}

/// Records what happened to the app of a service directory, in this order. The returned command is to be run because of that. It is not
/// waited for; of several that are returned while one runs, only the last is run.
pub type Writer = fn(&Path, Vec<Note>) -> Option<Command>;

/// The events that were not written down yet. Without a writer, none are kept.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) writer: Option<Writer>,
    waiting: Vec<Note>,
    thrift: Thrift,
    decided: Vec<Decision>,
}

impl Diary {
    /// Something happened.
    pub(crate) fn note(&mut self, happening: Happening) {
        if self.writer.is_some() {
            self.waiting.push(Note::Happening(happening));
        }
    }

    /// A step in the life of an instance. Of too many at a time some are left out, and counted.
    pub(crate) fn live(&mut self, slot: &Slot, life: LifeEvent) {
        if self.writer.is_some()
            && let Some(life) = self.thrift.admit(slot, life, Instant::now())
        {
            self.waiting.push(Note::Life((slot.clone(), life)));
        }
    }

    /// Something was decided; `None`: to do nothing.
    pub(crate) fn decide(&mut self, decision: impl FnOnce() -> Option<Decision>) {
        if self.writer.is_some() {
            self.decided.extend(decision());
        }
    }

    /// Has everything written down; what is to be run on account of it.
    pub(crate) fn write(&mut self, service: &Path) -> Option<Command> {
        if !self.decided.is_empty() {
            decisions::record(service, &std::mem::take(&mut self.decided));
        }
        let writer = self.writer.filter(|_| !self.waiting.is_empty())?;
        writer(service, std::mem::take(&mut self.waiting))
    }
}
