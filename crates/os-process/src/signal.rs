//! Signals that reach the process they are meant for: through a pidfd, which never names another one.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Signals a process through a pidfd, if `is_it` still says so once the pidfd is open. One that has ended needs no signal.
pub fn signal_process(pid: u32, signal: Signal, is_it: impl Fn() -> bool) {
    let _ = send_signal(pid, signal, is_it);
}

/// [`signal_process`] for whoever wants to know what has come of it: `false` if there is no such process any more.
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
