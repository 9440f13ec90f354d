//! Turns signals into a descriptor that becomes readable, and tells which of them have arrived. Also protects a supervisor
//! from signals that would end it by mistake.
//!
//! A supervisor blocks its signals and reads them from a descriptor of the kernel (signalfd(2)), because handlers take more than a KiB
//! each, in every supervisor. The foreground has handlers: it is a part of a program with other threads, which would get what this one
//! blocks.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::pipe;

/// The signals that a supervisor does not block: they report a fault of the program itself.
const FAULTS: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGABRT];

/// A set of signals and the descriptor that shows them.
#[derive(Debug)]
pub enum Signals {
    /// Handlers write into a stream and set flags.
    Handled {
        /// Readable once a signal has come.
        stream: UnixStream,
        /// Each signal, and whether it has come since it was last asked.
        seen: Vec<(i32, Arc<AtomicBool>)>,
    },
    /// The kernel holds them until they are read.
    Held(SignalFd),
}

/// What a supervisor listens to.
#[derive(Debug)]
pub(crate) struct Heard {
    /// A child has ended.
    pub(crate) children: Signals,
    /// The signals that it acts on.
    pub(crate) signals: Signals,
}

impl Heard {
    /// By handlers.
    pub(crate) fn handled(signals: &[i32]) -> io::Result<Self> {
        Ok(Self { children: Signals::watch(&[SIGCHLD])?, signals: Signals::watch(signals)? })
    }

    /// By descriptors of the kernel: the signals are blocked in this thread, which has to be the only one, and in those that it starts.
    pub(crate) fn held(signals: &[i32]) -> io::Result<Self> {
        Ok(Self { children: Signals::hold(&[SIGCHLD])?, signals: Signals::hold(signals)? })
    }
}

impl Signals {
    /// Catches these signals from now on by handlers: nothing but [`Signals::take`] shows that they came.
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
        Ok(Self::Handled { stream, seen })
    }

    fn hold(signals: &[i32]) -> io::Result<Self> {
        let mut held = SigSet::empty();
        for signal in signals {
            held.add(Signal::try_from(*signal)?);
        }
        held.thread_block()?;
        Ok(Self::Held(SignalFd::with_flags(&held, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The descriptor to watch.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Handled { stream, .. } => stream.as_fd(),
            Self::Held(held) => held.as_fd(),
        }
    }

    /// The signals that have arrived since the last call, each once.
    pub fn take(&self) -> Vec<i32> {
        match self {
            Self::Handled { stream, seen } => {
                drain(stream);
                let arrived = seen.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
                arrived.map(|(signal, _)| *signal).collect()
            }
            Self::Held(held) => {
                let read = || held.read_signal().ok().flatten();
                let arrived = std::iter::from_fn(read).filter_map(|info| i32::try_from(info.ssi_signo).ok());
                arrived.collect()
            }
        }
    }
}

/// From now on only SIGTERM, SIGINT, SIGKILL and faults of the program itself end it; SIGTERM and SIGINT as soon as they are heard. All
/// others are blocked. None is ignored, because processes that are started from here would inherit that.
pub(crate) fn shield() -> io::Result<()> {
    let mut blocked = SigSet::all();
    for signal in FAULTS {
        blocked.remove(signal);
    }
    Ok(blocked.thread_block()?)
}

/// Nothing is blocked any more in a process that is about to become another program.
pub(crate) fn unblock() {
    // Where the mask cannot be changed, the program has that of the supervisor.
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
