//! A process that was started in a container in addition to its main process. The engine has no call that sends it a signal. If the
//! processes of the engine are those of this machine, this program sends the signal itself.

use std::fs;
use std::io;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Sends a signal to the process with this pid, if it belongs to that container. If the process has ended, a later process with the
/// same pid does not get the signal.
pub fn signal(container: &str, pid: i32, signal: i32) -> io::Result<()> {
    let (pid, signal) =
        Pid::from_raw(pid).zip(Signal::from_named_raw(signal)).ok_or(io::ErrorKind::InvalidInput)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    // The start time is read after the pidfd was opened, so it is that of the process that the pidfd names.
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero()))?;
    if !groups.contains(container) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(pidfd_send_signal(process, signal)?)
}
