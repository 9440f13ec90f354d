//! A supervisor that can no longer be spoken to: its directory or its socket was removed under it. It is found among the
//! processes of the machine and ended, by pidfd.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::service::Service;

const LOOK: Duration = Duration::from_millis(20);

/// Asks each to end what it supervises and leave; those that have not done so within `patience` are killed.
pub(crate) fn end(service: &Service, patience: Duration) {
    let deadline = Instant::now() + patience;
    let found = ps_supervisor::living_supervisors(&service.directory);
    for pid in &found {
        signal(*pid, Signal::TERM);
    }
    while found.iter().any(|pid| ps_supervisor::ProcessId::of(*pid).is_some()) {
        if Instant::now() >= deadline {
            return kill(service);
        }
        thread::sleep(LOOK);
    }
}

/// Kills each: what it supervised runs on, for the next one to take over.
pub(crate) fn kill(service: &Service) {
    for pid in ps_supervisor::living_supervisors(&service.directory) {
        signal(pid, Signal::KILL);
    }
}

fn signal(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    // One that has ended meanwhile needs no signal.
    if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
        let _ = pidfd_send_signal(pidfd, signal);
    }
}
