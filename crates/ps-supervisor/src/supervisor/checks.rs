//! The event loop's part of health checks: descriptors to watch, exited check commands, and killed groups that are not
//! empty yet.

use std::time::Instant;

use formation::Exit;
use ps_probe::Standing;
use ps_rollout::Run as RunName;

use super::Supervisor;
use crate::health::{CommandTry, Ending, Killer};
use crate::run::Run;
use crate::seat::Seat;
use crate::wakeup::Wakeup;

impl Supervisor {
    /// A child has exited that is no main process.
    pub(super) fn reap_check(&mut self, pid: u32, exit: Option<Exit>) {
        let is_known = self.seats.values_mut().any(|seat| seat.reap_check(pid, exit));
        if !is_known {
            let _ = self.means.unheard.iter_mut().any(|command| command.reap(pid, exit));
        }
    }

    /// Watches the descriptors of new checks, and kills what is left of finished ones.
    pub(super) fn look_at_checks(&mut self, now: Instant) {
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            watch(run, &mut self.poll);
        }
        let (census, ending) = (&mut self.means.census, &mut self.means.ending);
        ending.retain_mut(|left| left.is_left(now, census));
        let mut killer = Killer { census, ending };
        self.means.unheard.retain_mut(|command| command.look(&mut killer, now) == Standing::Pending);
    }

    /// When that must be done again, at the latest.
    pub(super) fn checks_due(&self, now: Instant) -> Option<Instant> {
        let unheard = self.means.unheard.iter().map(|command: &CommandTry| command.due(now));
        unheard.chain(self.means.ending.iter().map(Ending::due)).min()
    }
}

fn watch(run: &mut Run, poll: &mut crate::poll::Poll<Wakeup>) {
    let name = RunName { slot: run.status.slot.clone(), number: run.number() };
    for (index, descriptor) in run.unwatched_checks() {
        // A check whose descriptor cannot be watched is looked at when it is due.
        let _ = poll.watch_changes(descriptor, Wakeup::Check(name.clone(), index));
    }
}
