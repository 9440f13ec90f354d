//! The memory use of a run whose type has a limit, or is to be replaced above some use.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use formation::{Exit, OutOfMemory};
use os_process::{Cgroup, memory_of};

use super::Run;
use crate::diary::{Happening, Occasion};
use crate::limits::{InForce, Limited};
use crate::means::Means;
use crate::process::Process;
use crate::run_name::RunName;
use crate::run_table::RunState;

impl Run {
    /// Its name.
    pub(super) fn name(&self) -> RunName {
        RunName { slot: self.status.slot.clone(), number: self.number() }
    }

    /// Applies the limits that were in force before: those of an earlier supervisor, or those before the controllers
    /// were taken away.
    pub(crate) fn limit_again(&mut self, means: &Means) {
        let Some(before) = self.status.limits.as_deref().filter(|_| self.state.is_live()) else { return };
        let name = self.name().to_string();
        let (limited, in_force) = Limited::again(before, &means.service, &self.tree, &name);
        self.limited = Some(Box::new(limited));
        if in_force != *before {
            self.status.limits = Some(Box::new(in_force));
            self.changed = true;
        }
    }

    /// What is to be waited for from now on: each with its number, and whether by its exceptional condition.
    pub(crate) fn unheard_memory(&mut self) -> Vec<(usize, BorrowedFd<'_>, bool)> {
        self.limited.as_mut().map(|limited| limited.unheard()).unwrap_or_default()
    }

    /// Its memory has something to tell; what is not to be waited for until that has been looked at.
    pub(crate) fn hear_memory(&mut self, now: Instant) -> Vec<BorrowedFd<'_>> {
        self.limited.as_mut().map(|limited| limited.hear(now)).unwrap_or_default()
    }

    pub(super) fn memory_due(&self) -> Option<Instant> {
        self.limited.as_ref()?.due()
    }

    /// Looks at its memory, if it is time.
    pub(super) fn look_at_memory(&mut self, now: Instant, means: &mut Means) {
        let (Some(limited), Some(in_force)) = (&mut self.limited, self.status.limits.as_deref()) else {
            return;
        };
        let main = self.process.as_ref().map(Process::pid);
        let used = || {
            let pids = match self.tree.cgroup() {
                Some(cgroup) => Cgroup::members(cgroup),
                None => self.tree.members(main, &mut means.census).into_keys().collect(),
            };
            Some(memory_of(&pids))
        };
        let Some(seen) = limited.look(now, used) else { return };
        if seen.kills > in_force.kills_seen && main.is_some() {
            // Its main process lives: it was another one of it.
            let what = limited.blame(in_force, false).to_string();
            // If its child processes are started and killed over and over again, only the first kill becomes an event.
            let is_first = in_force.kills_seen == 0;
            self.status.note = Some(what.clone());
            self.status.oom_kills += seen.kills - in_force.kills_seen;
            self.status.limits = Some(Box::new(InForce { kills_seen: seen.kills, ..in_force.clone() }));
            self.changed = true;
            if is_first {
                means.diary.note(self.happening(what));
            }
        }
        let is_up = matches!(self.state, RunState::Ready | RunState::Unready);
        self.beyond = seen.beyond.filter(|_| is_up);
    }

    /// How much it uses and beyond how much another run takes its place, if it uses more than that.
    pub(crate) fn beyond(&self) -> Option<(u64, u64)> {
        self.beyond.zip(self.status.limits.as_ref()?.memory_restart)
    }

    /// That was seen to, or is put off.
    pub(crate) fn look_at_use_again(&mut self, at: Instant) {
        self.beyond = None;
        if let Some(limited) = &mut self.limited {
            limited.look_again(at);
        }
    }

    /// Why its main process has ended, if that was for want of memory.
    pub(super) fn reason_of_memory(&self, exit: Option<Exit>) -> Option<OutOfMemory> {
        self.limited.as_ref()?.reason(self.status.limits.as_deref()?, exit)
    }

    /// Counts the processes of it that the kernel has killed since the last look.
    pub(super) fn count_kills(&mut self) {
        if let (Some(limited), Some(in_force)) = (&self.limited, self.status.limits.as_deref()) {
            self.status.oom_kills += limited.unseen_kills(in_force);
        }
    }

    /// Tells of the kill that has ended its main process, if that was for want of memory.
    pub(super) fn tell_kill(&self, means: &mut Means) {
        let how = self.status.how_it_ended().filter(|_| self.status.out_of_memory.is_some());
        if let Some(how) = how {
            means.diary.note(self.happening(format!("run {} ended: {how}", self.number())));
        }
    }

    fn happening(&self, what: String) -> Happening {
        let (slots, run) = (vec![self.status.slot.clone()], Some(self.number()));
        Happening { occasion: Occasion::Memory, slots, run, what, is_failure: true }
    }

    /// Nothing of it lives that could be limited.
    pub(super) fn give_up_limits(&mut self) {
        self.beyond = None;
        if let Some(limited) = self.limited.take() {
            limited.remove();
        }
    }
}
