//! The log of a capture: the segment that is written to or, before that is created, the one that will be.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::series::{Segment, Series};
use crate::target::Target;

/// The log of a capture.
#[derive(Debug)]
pub(crate) enum Log {
    /// The log is not made yet.
    Later {
        /// The first segment.
        first: Segment,
        /// A placeholder for the log's descriptor, so that the number of descriptors is the same before and after the
        /// log is made.
        place: OwnedFd,
    },
    /// The log exists.
    Open(Target),
}

impl Log {
    /// A log that begins with this segment and is made later; `any` is a file that is open.
    pub(crate) fn later(first: Segment, any: &OwnedFd) -> io::Result<Self> {
        Ok(Self::Later { first, place: any.try_clone()? })
    }

    /// The segment that is written to. It is made if it does not exist.
    pub(crate) fn target(&mut self, series: &Series) -> io::Result<&mut Target> {
        match self {
            Self::Open(target) => Ok(target),
            Self::Later { first, .. } => {
                let target =
                    Target::begin(series, *first).map_or_else(|| Target::open(series, *first), Ok)?;
                *self = Self::Open(target);
                self.target(series)
            }
        }
    }

    /// The descriptor of the segment, or the placeholder.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Later { place, .. } => place.as_fd(),
            Self::Open(target) => target.fd(),
        }
    }
}
