//! Turns signals into a descriptor that becomes readable, and tells which of them have arrived. Also protects a supervisor
//! from signals that would end it by mistake.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use signal_hook::low_level::pipe;

/// The signals that are not blocked: those that a supervisor acts on, those that [`crate::disown`] has given a handler
/// because people send them, and those that report a fault of the program itself.
const HEARD: [Signal; 14] = [
    Signal::SIGCHLD,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGALRM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGABRT,
];

/// A set of signals and the descriptor that shows them.
#[derive(Debug)]
pub struct Signals {
    stream: UnixStream,
    seen: Vec<(i32, Arc<AtomicBool>)>,
}

impl Signals {
    /// Catches these signals from now on: nothing but [`Signals::take`] shows that they came.
    ///
    /// # Errors
    /// No descriptor is left, or one of these signals cannot be handled.
    pub fn watch(signals: &[i32]) -> io::Result<Self> {
        let (stream, wake) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        let mut seen = Vec::new();
        for signal in signals {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag is registered first, so that it is set when the descriptor wakes us.
            signal_hook::flag::register(*signal, Arc::clone(&flag))?;
            pipe::register(*signal, wake.try_clone()?)?;
            seen.push((*signal, flag));
        }
        Ok(Self { stream, seen })
    }

    /// The descriptor to watch.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// The signals that have arrived since the last call, each once.
    pub fn take(&self) -> Vec<i32> {
        let mut buffer = [0; 256];
        while matches!((&self.stream).read(&mut buffer), Ok(n) if n > 0) {}
        let arrived = self.seen.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        arrived.map(|(signal, _)| *signal).collect()
    }
}

/// From now on only SIGTERM, SIGINT, SIGKILL and faults of the program itself end it. Signals that nobody sends (real-time
/// signals and others) are blocked rather than handled, because handlers for all of them take 60 KiB. None is ignored,
/// because processes that are started from here would inherit that.
pub(crate) fn shield() -> io::Result<()> {
    let mut blocked = SigSet::all();
    for signal in HEARD {
        blocked.remove(signal);
    }
    Ok(blocked.thread_block()?)
}

/// Nothing is blocked any more in a process that is about to become a command.
pub(crate) fn unblock() {
    // Where the mask cannot be changed, the command has that of the supervisor.
    let _ = SigSet::empty().thread_set_mask();
}

/// A stream that becomes readable when one of the signals arrives.
///
/// # Errors
/// No descriptor is left, or one of these signals cannot be handled.
pub fn stream(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

/// Empties the stream. Its bytes carry no information.
pub fn drain(mut stream: &UnixStream) {
    let mut buffer = [0; 256];
    while matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
}
