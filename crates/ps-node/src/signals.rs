//! Signals as a descriptor that is read, and ending this process by a signal.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{Resource, Rlimit};

/// Reads these signals from now on. It has to be called before a second thread exists, because it blocks the signals
/// only for this thread and those that it starts.
pub(crate) fn read(signals: &[Signal]) -> io::Result<SignalFd> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// The next signal that has come.
pub(crate) fn next(signals: &SignalFd) -> Option<Signal> {
    let signal = signals.read_signal().ok()??;
    Signal::try_from(i32::try_from(signal.ssi_signo).ok()?).ok()
}

/// Ends this process by the signal that ended another one, without a second core file. Returns if that signal does not
/// end processes.
pub(crate) fn end_by(number: i32) {
    let Some(signal) = rustix::process::Signal::from_named_raw(number) else { return };
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    if let Ok(blocked) = Signal::try_from(number) {
        let _ = SigSet::from(blocked).thread_unblock();
    }
    let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
}
