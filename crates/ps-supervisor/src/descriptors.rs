//! How many descriptors a supervisor may have. It takes all that the machine gives it, and leaves its processes what it
//! was given itself: a program that calls select(2) breaks with more than 1024. Outputs of instances may not use
//! the last few, so that somebody who asks for a stop is always heard and /proc can always be read.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is kept for everything but outputs, clients of the socket aside.
const RESERVE: u64 = 32;
/// More clients than this at a time are nobody's honest need.
const MOST_CLIENTS: u64 = 64;

/// The limits of one supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    /// The soft limit that processes get, where it is another one than ours.
    pub(crate) inherited: Option<u64>,
    limit: u64,
}

impl Descriptors {
    /// Raises the soft limit to the hard one.
    pub(crate) fn raise() -> Self {
        // A supervisor that an instance started is no part of it.
        let locks = getrlimit(Resource::Locks);
        let _ = setrlimit(Resource::Locks, Rlimit { current: locks.maximum, ..locks });
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, ..before };
        let current =
            if setrlimit(Resource::Nofile, raised).is_ok() { before.maximum } else { before.current };
        let inherited = before.current.filter(|_| current != before.current);
        Self { inherited, limit: current.unwrap_or(u64::MAX) }
    }

    /// Takes back what was raised, before another program takes our place: it is to find the limit that we were given.
    pub(crate) fn give_back(self) {
        if let Some(inherited) = self.inherited {
            let now = getrlimit(Resource::Nofile);
            // At worst processes get more than they were meant to have.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(inherited), ..now });
        }
    }

    /// Raises the limit again.
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

    /// Refuses a descriptor of an output that would use what is kept for others.
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
