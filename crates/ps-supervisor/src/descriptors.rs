//! How many file descriptors a supervisor may use. It raises its own soft limit to the hard one, and starts its processes
//! with the limit that it was given, because a program that calls select(2) breaks with more than 1024. Outputs of
//! instances may not use the last few descriptors, so that a client that asks for a stop can always connect and /proc can
//! always be read.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors that outputs may not use. Those for clients come on top.
const RESERVE: u64 = 32;
/// More clients than this at a time are taken for a mistake.
const MOST_CLIENTS: u64 = 64;

/// The limits of one supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    /// The soft limit that processes get, where it differs from ours.
    pub(crate) inherited: Option<u64>,
    limit: u64,
}

impl Descriptors {
    /// Raises the soft limit to the hard one.
    pub(crate) fn raise() -> Self {
        // A supervisor that was started by an instance does not belong to that instance.
        let locks = getrlimit(Resource::Locks);
        let _ = setrlimit(Resource::Locks, Rlimit { current: locks.maximum, ..locks });
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, ..before };
        let current =
            if setrlimit(Resource::Nofile, raised).is_ok() { before.maximum } else { before.current };
        let inherited = before.current.filter(|_| current != before.current);
        Self { inherited, limit: current.unwrap_or(u64::MAX) }
    }

    /// Restores the soft limit that we were given, before another program is executed in our place.
    pub(crate) fn give_back(self) {
        if let Some(inherited) = self.inherited {
            let now = getrlimit(Resource::Nofile);
            // If this fails, processes get a higher limit than intended.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(inherited), ..now });
        }
    }

    /// Raises the limit again after [`Descriptors::give_back`].
    pub(crate) fn take_again(self) {
        if self.inherited.is_some() {
            let now = getrlimit(Resource::Nofile);
            let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, ..now });
        }
    }

    /// How many clients may be connected at a time.
    pub(crate) fn clients(self) -> usize {
        usize::try_from((self.limit / 8).clamp(1, MOST_CLIENTS)).unwrap_or(1)
    }

    /// Refuses the descriptor of an output if it is one of those that are reserved for clients and /proc.
    pub(crate) fn admit(self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        let kept = RESERVE + u64::try_from(self.clients()).unwrap_or(MOST_CLIENTS);
        let number = u64::try_from(fd.as_raw_fd()).unwrap_or(0);
        if number < self.limit.saturating_sub(kept) { Ok(()) } else { Err(Errno::MFILE) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn outputs_leave_the_last_descriptors_to_others() {
        let null = std::fs::File::open("/dev/null").expect("it is there");
        let number = u64::try_from(null.as_raw_fd()).expect("a descriptor");
        for (limit, is_admitted) in [(1024, true), (number + 32 + 1, false), (1, false), (u64::MAX, true)] {
            let descriptors = Descriptors { inherited: None, limit };
            assert_eq!(descriptors.admit(null.as_fd()).is_ok(), is_admitted, "{limit}");
        }
    }
}
