//! Replaces instances that use more memory than they should, as in a restart. There is no wake-up while they use less.

use std::time::{Duration, Instant};

use formation::{Bytes, Slot};
use ps_rollout::{Lane, Role};

use super::Supervisor;
use crate::diary::Occasion;
use crate::poll::Poll;
use crate::run::Run;
use crate::seat::Seat;
use crate::wakeup::Wakeup;

/// How long an instance is left alone that has just been tried to be replaced, or could not be.
const NEXT_TRY: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Watches the memory of each run that is not watched yet.
    pub(super) fn watch_memory(&mut self) {
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            watch(run, &mut self.poll);
        }
    }

    /// The memory of a run has something to tell.
    #[inline(never)]
    pub(super) fn hear_memory(&mut self, slot: &Slot, is_second: bool) {
        let runs = self.seats.get_mut(slot).into_iter().flat_map(Seat::runs_mut);
        let lane = if is_second { Lane::Second } else { Lane::Own };
        for run in runs.filter(|run| run.status.lane == lane) {
            unwatch(run, &mut self.poll);
        }
    }

    /// Limits every run again: the controllers may have been away.
    pub(crate) fn limit_again(&mut self) {
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            unwatch(run, &mut self.poll);
            run.limit_again(&self.means);
        }
    }

    /// Has others take the place of what uses more than it should; while something else is rolled out, later.
    pub(super) fn replace_large(&mut self, now: Instant) {
        let runs = || self.seats.values().flat_map(Seat::runs);
        let large = runs().filter(|run| run.beyond().is_some() && run.status.role == Some(Role::Current));
        let large: Vec<(Slot, String)> =
            large.filter_map(|run| Some((run.status.slot.clone(), why(run)?))).collect();
        if large.is_empty() || self.is_ending {
            return;
        }
        for run in self.seats.values_mut().flat_map(Seat::runs_mut).filter(|run| run.beyond().is_some()) {
            run.look_at_use_again(now + NEXT_TRY);
        }
        if self.refuse_while_rolling().is_ok() {
            let why: Vec<&str> = large.iter().map(|(_, why)| why.as_str()).collect();
            let why = why.join("; ");
            let slots = large.into_iter().map(|(slot, _)| slot).collect();
            self.start_slots_anew(Occasion::Memory, slots, &why);
        }
    }
}

/// Why another run is to take the place of this one.
fn why(run: &Run) -> Option<String> {
    let (used, most) = run.beyond()?;
    Some(format!("{} used {} (memory-restart {})", run.status.slot, Bytes(used), Bytes(most)))
}

fn watch(run: &mut Run, poll: &mut Poll<Wakeup>) {
    let (slot, is_second) = (run.status.slot.clone(), run.status.lane == Lane::Second);
    for (index, fd, is_exceptional) in run.unheard_memory() {
        let source = Wakeup::Memory(slot.clone(), is_second, index);
        // Where it cannot be waited for, a kill is seen when the main process ends, and use beyond what it should be is not.
        let _ = if is_exceptional { poll.watch_exceptions(fd, source) } else { poll.watch(fd, source) };
    }
}

/// Until it has been looked at, it is not waited for.
fn unwatch(run: &mut Run, poll: &mut Poll<Wakeup>) {
    let (slot, is_second) = (run.status.slot.clone(), run.status.lane == Lane::Second);
    for (index, fd) in run.hear_memory(Instant::now()).into_iter().enumerate() {
        let _ = poll.unwatch(fd);
        poll.forget(&Wakeup::Memory(slot.clone(), is_second, index));
    }
}
