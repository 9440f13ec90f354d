//! The last run of a seat, or none yet. A seat starts without a run if nothing is known of its slot, and gets the first
//! run of a rollout. A run that never lived would leave a hole in memory, for each instance of the app.

use std::path::Path;
use std::sync::Arc;

use formation::Slot;
use jiff::Timestamp;

use crate::means::Means;
use crate::outputs::Outputs;
use crate::run::Run;
use crate::status::{Status, now};

/// What a seat has had last.
#[derive(Debug)]
pub(crate) enum Current {
    /// Nothing yet; the seat is off.
    Vacant(Vacancy),
    /// The run that fills it, or filled it last; boxed, because a map of one seat allocates room for eleven.
    Run(Box<Run>),
}

/// A seat that no run has filled yet.
#[derive(Debug)]
pub(crate) struct Vacancy {
    since: Timestamp,
    /// A note for people in its status.
    note: Option<String>,
    /// Whether its status was told, and written where that was possible. Whoever finds none knows as much.
    is_told: bool,
}

impl Current {
    /// Nothing, from now on.
    pub(crate) fn vacant() -> Self {
        Self::Vacant(Vacancy { since: now(), note: None, is_told: false })
    }

    /// The run, if there was one.
    pub(crate) fn run(&self) -> Option<&Run> {
        match self {
            Self::Vacant(_) => None,
            Self::Run(run) => Some(run),
        }
    }

    /// The same, mutable.
    pub(crate) fn run_mut(&mut self) -> Option<&mut Run> {
        match self {
            Self::Vacant(_) => None,
            Self::Run(run) => Some(run),
        }
    }

    /// The run; where there was none, one with number 0 that never lived, whose place the next one takes.
    pub(crate) fn settled(&mut self, slot: &Slot, directory: &Arc<Path>, means: &Means) -> &mut Run {
        if let Self::Vacant(vacancy) = self {
            let status = Box::new(vacancy.status(slot));
            let tree = means.new_tree(slot, status.run);
            let outputs = Outputs::new(directory, status.run, status.log, means.descriptors);
            *self = Self::Run(Run::without_life(status, tree, outputs));
        }
        match self {
            Self::Run(run) => run,
            Self::Vacant(_) => unreachable!("a vacancy was replaced by a run"),
        }
    }

    /// A copy of its status.
    pub(crate) fn status(&self, slot: &Slot) -> Status {
        match self {
            Self::Vacant(vacancy) => vacancy.status(slot),
            Self::Run(run) => Status::clone(&run.status),
        }
    }

    /// Sets the note in its status.
    pub(crate) fn note(&mut self, note: &str) {
        match self {
            Self::Vacant(vacancy) => vacancy.note = Some(note.to_owned()),
            Self::Run(run) => run.status.note = Some(note.to_owned()),
        }
        self.mark_changed();
    }

    /// Removes the note from its status if it is one of these.
    pub(crate) fn forget_note(&mut self, is_meant: impl Fn(&str) -> bool) {
        let note = match self {
            Self::Vacant(vacancy) => &mut vacancy.note,
            Self::Run(run) => &mut run.status.note,
        };
        if note.take_if(|note| is_meant(note)).is_some() {
            self.mark_changed();
        }
    }

    /// The status is to be written and told again.
    pub(crate) fn mark_changed(&mut self) {
        match self {
            Self::Vacant(vacancy) => vacancy.is_told = false,
            Self::Run(run) => run.mark_changed(),
        }
    }

    /// Whether the status has changed since it was last told.
    pub(crate) fn has_changed(&self) -> bool {
        match self {
            Self::Vacant(vacancy) => !vacancy.is_told,
            Self::Run(run) => run.has_changed(),
        }
    }

    /// The status, if it has changed since the last call. It has been written into the directory of the slot; `is_kept`: `state` holds it as
    /// well.
    pub(crate) fn take_change(&mut self, slot: &Slot, directory: &Path, is_kept: bool) -> Option<Status> {
        match self {
            Self::Run(run) => run.take_change(Some(directory), is_kept),
            Self::Vacant(vacancy) if vacancy.is_told => None,
            Self::Vacant(vacancy) => {
                vacancy.is_told = true;
                let status = vacancy.status(slot);
                let _ = status.write(directory);
                Some(status)
            }
        }
    }
}

impl Vacancy {
    fn status(&self, slot: &Slot) -> Status {
        Status { note: self.note.clone(), ..Status::nothing(slot, self.since) }
    }
}
