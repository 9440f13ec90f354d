//! Supervisors that cannot be reached because their directory or their socket was removed. They are found in /proc and ended
//! by pidfd.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use os_process::signal_process;
use rustix::process::Signal;

use crate::Moved;

const LOOK: Duration = Duration::from_millis(20);

/// Tells each supervisor of a service directory to end its processes and exit; those that have not exited within `patience`
/// are killed.
pub fn end(service: &Path, patience: Duration) {
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

/// Kills a supervisor whose directory was moved while it ran. Its processes go on, and the next supervisor takes them over.
pub fn kill_moved(moved: &Moved) {
    signal_process(moved.supervisor, Signal::KILL, || true);
    while os_process::ProcessId::of(moved.supervisor).is_some() {
        thread::sleep(LOOK);
    }
}

/// Kills each supervisor of a service directory. Its processes go on, and the next supervisor takes them over.
pub fn kill(service: &Path) {
    for pid in ps_supervisor::living_supervisors(service) {
        signal_process(pid, Signal::KILL, || true);
    }
}
