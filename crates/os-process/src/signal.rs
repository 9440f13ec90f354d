//! Signals that reach the process they are meant for: through a pidfd, which never names another one.

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Signals a process through a pidfd, if `is_it` still says so once the pidfd is open. One that has ended needs no signal.
pub fn signal_process(pid: u32, signal: Signal, is_it: impl Fn() -> bool) {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(pidfd) = pidfd_open(raw, PidfdFlags::empty()) else { return };
    if is_it() {
        let _: Result<(), Errno> = pidfd_send_signal(pidfd, signal);
    }
}
