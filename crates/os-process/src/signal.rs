//! Sends signals through a pidfd, so that they never reach another process with the same pid.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Signals a process, if `is_it` still confirms it after its pidfd was opened. A process that has ended needs no signal.
pub fn signal_process(pid: u32, signal: Signal, is_it: impl Fn() -> bool) {
    let _ = send_signal(pid, signal, is_it);
}

/// [`signal_process`] with its result: `false` if there is no such process any more.
///
/// # Errors
/// We may not signal it.
pub fn send_signal(pid: u32, signal: Signal, is_it: impl Fn() -> bool) -> io::Result<bool> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let sent = pidfd_open(raw, PidfdFlags::empty())
        .and_then(|pidfd| if is_it() { pidfd_send_signal(pidfd, signal).map(|()| true) } else { Ok(false) });
    match sent {
        Err(Errno::SRCH) => Ok(false),
        sent => Ok(sent?),
    }
}

/// Whether a process handles a signal; ignoring it is not handling. `None`: there is no such process.
pub fn handles(pid: u32, signal: Signal) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal.as_raw() - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_without_a_handler_is_told_from_one_that_has_one() {
        // Rust's runtime ignores SIGPIPE and handles SIGSEGV; SIGHUP has no handler.
        let own = std::process::id();
        assert_eq!(handles(own, Signal::PIPE), Some(false));
        assert_eq!(handles(own, Signal::HUP), Some(false));
        assert_eq!(handles(own, Signal::SEGV), Some(true));
        assert_eq!(handles(u32::MAX, Signal::HUP), None);
    }
}
