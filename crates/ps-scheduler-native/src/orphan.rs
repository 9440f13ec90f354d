//! A supervisor that can no longer be spoken to: its directory or its socket was removed under it. It is found among the
//! processes of the machine and ended, by pidfd.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use os_process::signal_process;
use rustix::process::Signal;

const LOOK: Duration = Duration::from_millis(20);

/// Asks each supervisor of a service directory to end what it supervises and leave; those that have not done so within `patience` are killed.
pub(crate) fn end(service: &Path, patience: Duration) {
    let deadline = Instant::now() + patience;
    let found = ps_supervisor::living_supervisors(service);
    for pid in &found {
        signal_process(*pid, Signal::TERM, || true);
    }
    while found.iter().any(|pid| os_process::ProcessId::of(*pid).is_some()) {
        if Instant::now() >= deadline {
            return kill(service);
        }
        thread::sleep(LOOK);
    }
}

/// Kills each supervisor of a service directory: what it supervised runs on, for the next one to take over.
pub(crate) fn kill(service: &Path) {
    for pid in ps_supervisor::living_supervisors(service) {
        signal_process(pid, Signal::KILL, || true);
    }
}
