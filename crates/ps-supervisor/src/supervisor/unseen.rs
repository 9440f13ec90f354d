//! The end of a process that is no child of ours: its own supervisor died. Where that one had a root, the process is a child of the
//! root now, which writes down how it ended. That is waited for, but not for long: without a root nobody saw it.

use std::time::{Duration, Instant};

use os_process::Stat;

use super::Supervisor;
use crate::process::Process;
use crate::run::Run;
use crate::source::Source;

const PROGRAM: &str = "ps-supervise";
const LOOK: Duration = Duration::from_millis(5);
/// How long a root may take that has not waited for it yet.
const BUSY_ROOT: Duration = Duration::from_secs(1);
/// How long the file may take after the process is gone.
const GONE: Duration = Duration::from_millis(10);

impl Supervisor {
    /// The main process of an adopted run has ended.
    pub(super) fn lose_sight(&mut self, source: &Source) {
        let Source::Adopted(slot, number) = source else { return };
        let Some(seat) = self.seats.get_mut(slot) else {
            self.unseen.remove(source);
            return;
        };
        let run = seat.runs_mut().find(|run| run.number() == *number && run.process().is_some());
        let found = run.and_then(|run| Some((run.process().map(Process::pid)?, run.exit_seen())));
        let Some((pid, exit)) = found else {
            self.unseen.remove(source);
            return;
        };
        let since = *self.unseen.entry(source.clone()).or_insert_with(Instant::now);
        if exit.is_none() && since.elapsed() < patience(pid) {
            if let Some(pidfd) = seat.runs().find(|run| run.number() == *number).and_then(Run::pidfd) {
                // It stays readable.
                let _ = self.poll.unwatch(pidfd);
            }
            return;
        }
        self.unseen.remove(source);
        seat.reap(pid, exit, &mut self.means);
    }
}

impl Supervisor {
    /// Looks again for how those ended whose ends were not written down yet; before anybody is told what happened in this turn.
    pub(super) fn look_for_ends(&mut self) {
        let waiting: Vec<Source> = self.unseen.keys().cloned().collect();
        for source in &waiting {
            self.lose_sight(source);
        }
    }

    /// When that must be done again.
    pub(super) fn unseen_due(&self, now: Instant) -> Option<Instant> {
        (!self.unseen.is_empty()).then(|| now + LOOK)
    }
}

/// How long it is to be waited for that somebody says how a process ended.
fn patience(pid: u32) -> Duration {
    match Stat::of(pid) {
        None => GONE,
        Some(stat) if os_process::name(stat.parent) == PROGRAM => BUSY_ROOT,
        Some(_) => Duration::ZERO,
    }
}
