//! What happened to an app without anybody asking for it, for whoever keeps a record of that. Who that is, and where the record
//! lies, is not known here.

use std::path::Path;

use formation::Slot;

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

/// What gave rise to something that nobody asked for.
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
}

impl Occasion {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Files => "watch",
            Self::Memory => "memory",
            Self::Certificate => "certificate",
        }
    }
}

/// Writes down what happened to the app of a service directory.
pub type Writer = fn(&Path, &Happening);

/// What has happened and is not written down yet; nothing is kept where nobody writes.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) writer: Option<Writer>,
    waiting: Vec<Happening>,
}

impl Diary {
    /// Something happened.
    pub(crate) fn note(&mut self, happening: Happening) {
        if self.writer.is_some() {
            self.waiting.push(happening);
        }
    }

    /// Has everything written down.
    pub(crate) fn write(&mut self, service: &Path) {
        let Some(writer) = self.writer else { return };
        self.waiting.drain(..).for_each(|happening| writer(service, &happening));
    }
}
