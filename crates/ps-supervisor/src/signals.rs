//! Signals as something to wait for: a descriptor that becomes readable, and which of them arrived. And those that must not
//! end a supervisor.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGIO, SIGPIPE, SIGPROF, SIGQUIT, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
    SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::low_level::pipe;

/// What would end or stop a program that does not mind it, and means nothing to a supervisor.
const MEANINGLESS: [i32; 16] = [
    SIGALRM, SIGHUP, SIGIO, SIGPIPE, SIGPROF, SIGQUIT, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
    SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
];
/// SIGSTKFLT and SIGPWR, and the real-time signals: they have no names everywhere.
const NAMELESS: [std::ops::RangeInclusive<i32>; 3] = [16..=16, 30..=30, 34..=64];

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

/// From now on only SIGTERM, SIGINT, SIGKILL and faults of the program itself end it. The signals are caught, not
/// ignored: what is ignored would be ignored by every process that is started from here.
pub(crate) fn shield() {
    let heard = Arc::new(AtomicBool::new(false));
    for signal in MEANINGLESS.into_iter().chain(NAMELESS.into_iter().flatten()) {
        // One that cannot be caught on this machine stays as it is.
        let _ = signal_hook::flag::register(signal, Arc::clone(&heard));
    }
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
