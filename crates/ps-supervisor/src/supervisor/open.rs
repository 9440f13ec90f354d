//! How the supervisor of a service directory starts.

use std::path::Path;

use formation::{Slot, State};

use super::handed_on::HandedOn;
use super::{END_SIGNALS, Supervisor, lock};
use crate::Error;
use crate::disown::disown;
use crate::first_format::{Predecessor, note_finished};
use crate::signals::Heard;
use crate::spec::Spec;
use crate::stack;
use crate::state::Statuses;

/// The option that tells a supervisor that no earlier one has left a process.
pub const NOTHING_LIVES: &str = "--nothing-lives";

/// What a supervisor begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// An earlier supervisor may have left processes, which it takes over.
    Usual,
    /// Whoever starts it has looked: there is no process of the service directory.
    Clear,
    /// This process was a supervisor before, which has executed this program: of an earlier build, or the same one to get rid of memory.
    GoesOn,
}

impl Supervisor {
    /// Takes over a service directory: its lock, its socket, and the processes that an earlier supervisor left running.
    pub fn open(service: &Path, begin: Begin) -> Result<Box<Self>, Error> {
        let heard = Heard::held(&END_SIGNALS).map_err(|error| Error::io("watch", service, error))?;
        stack::on_another(|| Self::open_with(service, begin, heard))
    }

    /// The same, with what it listens to.
    pub(super) fn open_with(service: &Path, begin: Begin, heard: Heard) -> Result<Box<Self>, Error> {
        let mut spec = Spec::read(service)?;
        if spec.list_passed_over(service).is_some() {
            let left_empty = stopped_by_status(service, &spec);
            spec.stopped.extend(left_empty);
        }
        let held = (begin == Begin::GoesOn).then(|| HandedOn::take(service)).flatten();
        let held = held.map_or_else(|| lock::take(service).map(HandedOn::only), Ok)?;
        disown(service).map_err(|error| Error::io("make a directory of its own of", service, error))?;
        let mut supervisor = Self::take_charge(service, spec, held, None, heard)?;
        supervisor.note_spec_file();
        if supervisor.means.state.slots_left().is_empty() {
            // No slot has a status in today's format: if there are files of an earlier format, their jobs that have finished are noted.
            note_finished(service, Predecessor::Unknown);
        }
        supervisor.means.is_clear = begin == Begin::Clear;
        supervisor.take_over_address();
        supervisor.adopt()?;
        if !supervisor.resume_rollout() {
            supervisor.apply();
        }
        supervisor.means.is_clear = false;
        Ok(supervisor)
    }
}

/// The slots that were stopped, as far as their statuses say so. They stay empty where the list of them cannot be read: a supervisor that
/// comes in the place of another one starts nothing that nobody has asked for.
fn stopped_by_status(service: &Path, spec: &Spec) -> Vec<Slot> {
    let statuses = Statuses::of(service);
    let is_stopped = |slot: &Slot| {
        let status = statuses.read(slot).ok().flatten();
        status.is_some_and(|status| status.state == State::Stopped && !status.done && !status.begins)
    };
    spec.wanted().into_iter().filter(is_stopped).collect()
}
