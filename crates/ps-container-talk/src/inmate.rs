//! A process that was started in a container beside its main process. The engine has no call that sends it a signal. If
//! the processes of the engine are those of this machine, we send the signal ourselves.

use std::fs;
use std::io;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Sends a signal to the process with this number, if it is one of that container. A process that ended and left its number to another
/// one gets nothing, and neither does it.
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
