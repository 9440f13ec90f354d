//! Without cgroups: processes that were started by some instance, but cannot be assigned to one.

use std::time::{Duration, Instant};

use os_process::{Process, families, signal_process};
use rustix::process::Signal;

use super::Supervisor;
use crate::address::Balance;
use crate::candidate::Candidate;
use crate::seat::Seat;

/// How long a process that survives SIGKILL is waited for. It may be in an uninterruptible sleep.
const UNKILLABLE: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Processes that were started by some instance: each outlived its parent, so it became our child, and it bears no mark
    /// of a run. The oldest comes first.
    pub(super) fn strays(&mut self) -> Vec<u32> {
        let own = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
        let processes = self.means.census.processes();
        let is_known = |process: &Process| {
            self.seats.values().flat_map(Seat::runs).any(|run| {
                let main = run.process().map(crate::process::Process::pid);
                run.tree().is_root(process, main)
            })
        };
        let balance = self.address.as_ref().and_then(|address| address.balance.as_ref());
        let ours = [
            self.tidier.pid(),
            self.errand.pid(),
            self.candidate.as_ref().map(Candidate::pid),
            balance.and_then(Balance::pid),
        ];
        let is_stray = |process: &Process| {
            process.parent == own && !is_known(process) && !ours.contains(&Some(process.pid))
        };
        families(processes, is_stray).into_iter().collect()
    }

    /// Kills these processes when all instances have ended. Whether that still goes on; processes that survive SIGKILL are
    /// given up after a while.
    pub(super) fn clears_strays(&mut self) -> bool {
        if !self.is_ending || self.means.cgroups.is_some() {
            return false;
        }
        let strays = self.strays();
        for pid in &strays {
            signal_process(*pid, Signal::KILL, || true);
        }
        let since = *self.clears_since.get_or_insert_with(Instant::now);
        !strays.is_empty() && since.elapsed() < UNKILLABLE
    }

    /// A warning for people that an instance may have left these processes.
    pub(super) fn may_be_left(strays: &[u32]) -> Option<String> {
        let pids = strays.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        (!strays.is_empty()).then(|| {
            format!(
                "it may have left processes behind that nothing tells from those of other instances: {pids}"
            )
        })
    }
}
