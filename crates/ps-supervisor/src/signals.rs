//! Signals as something to wait for: a descriptor that becomes readable, and which of them arrived. And those that must not
//! end a supervisor.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use signal_hook::low_level::pipe;

/// The signals that are not blocked: those that mean something to a supervisor, those that [`crate::disown`] has given a
/// handler, because somebody sends them every now and then, and those with which a fault of the program itself ends it.
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

/// The signals that are waited for.
#[derive(Debug)]
pub(crate) struct Signals {
    stream: UnixStream,
    seen: Vec<(i32, Arc<AtomicBool>)>,
}

impl Signals {
    /// From now on these signals do nothing but arrive here.
    pub(crate) fn watch(signals: &[i32]) -> io::Result<Self> {
        let (stream, wake) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        let mut seen = Vec::new();
        for signal in signals {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag first: whoever is woken finds it set.
            signal_hook::flag::register(*signal, Arc::clone(&flag))?;
            pipe::register(*signal, wake.try_clone()?)?;
            seen.push((*signal, flag));
        }
        Ok(Self { stream, seen })
    }

    /// The descriptor to watch.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// The signals that arrived since this was last asked, each once.
    pub(crate) fn take(&self) -> Vec<i32> {
        let mut buffer = [0; 256];
        while matches!((&self.stream).read(&mut buffer), Ok(n) if n > 0) {}
        let arrived = self.seen.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        arrived.map(|(signal, _)| *signal).collect()
    }
}

/// From now on only SIGTERM, SIGINT, SIGKILL and faults of the program itself end it. What nobody sends (real-time signals
/// and the like) is blocked: handlers for all of them take 60 KiB. None is ignored, because every process that is started from
/// here would ignore it as well.
pub(crate) fn shield() -> io::Result<()> {
    let mut blocked = SigSet::all();
    for signal in HEARD {
        blocked.remove(signal);
    }
    Ok(blocked.thread_block()?)
}

/// Starts a process, which inherits what is blocked: nothing.
pub(crate) fn unblocked<T>(start: impl FnOnce() -> T) -> T {
    let before = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = start();
    // Where the mask could not be changed, it need not be put back.
    let _ = before.and_then(|before| before.thread_set_mask());
    started
}

/// A stream that becomes readable when one of the signals arrives.
pub(crate) fn stream(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

/// Reads what has come, which says nothing but that something has.
pub(crate) fn drain(mut stream: &UnixStream) {
    let mut buffer = [0; 256];
    while matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
}
