//! Signals as something to wait for: a descriptor that becomes readable, and which of them arrived.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::low_level::pipe;

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
