//! The exit status of a process that is no child of ours, because an earlier supervisor started it. If there is a root, the
//! process became its child when that supervisor died, and the root records the status. It is waited for a short time:
//! without a root nobody saw the end.

use std::time::{Duration, Instant};

use os_process::Stat;

use super::Supervisor;
use crate::process::Process;
use crate::run::Run;
use crate::wakeup::Wakeup;

const PROGRAM: &str = "ps-supervise";
const LOOK: Duration = Duration::from_millis(5);
/// How long a root that has not reaped the process yet may take.
const BUSY_ROOT: Duration = Duration::from_secs(1);
/// How long the record may take once the process has been reaped.
const GONE: Duration = Duration::from_millis(10);

impl Supervisor {
    /// The main process of an adopted run has ended.
    #[inline(never)]
    pub(super) fn lose_sight(&mut self, wakeup: &Wakeup) {
        let Wakeup::Adopted(slot, number) = wakeup else { return };
        let Some(seat) = self.seats.get_mut(slot) else {
            self.unseen.remove(wakeup);
            return;
        };
        let run = seat.runs_mut().find(|run| run.number() == *number && run.process().is_some());
        let found = run.and_then(|run| Some((run.process().map(Process::pid)?, run.exit_seen())));
        let Some((pid, exit)) = found else {
            self.unseen.remove(wakeup);
            return;
        };
        let since = *self.unseen.entry(wakeup.clone()).or_insert_with(Instant::now);
        if exit.is_none() && since.elapsed() < patience(pid) {
            if let Some(pidfd) = seat.runs().find(|run| run.number() == *number).and_then(Run::pidfd) {
                // A pidfd stays readable, so it must not be watched any longer.
                let _ = self.poll.unwatch(pidfd);
            }
            return;
        }
        self.unseen.remove(wakeup);
        seat.reap(pid, exit, &mut self.means);
    }
}

impl Supervisor {
    /// Looks for exit statuses that were not recorded before. Called before this turn's events are reported to clients.
    pub(super) fn look_for_ends(&mut self) {
        let waiting: Vec<Wakeup> = self.unseen.keys().cloned().collect();
        for wakeup in &waiting {
            self.lose_sight(wakeup);
        }
    }

    /// When that must be done again.
    pub(super) fn unseen_due(&self, now: Instant) -> Option<Instant> {
        (!self.unseen.is_empty()).then(|| now + LOOK)
    }
}

/// How long the exit status of this process is waited for.
fn patience(pid: u32) -> Duration {
    match Stat::of(pid) {
        None => GONE,
        Some(stat) if os_process::name(stat.parent) == PROGRAM => BUSY_ROOT,
        Some(_) => Duration::ZERO,
    }
}
