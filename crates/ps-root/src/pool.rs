//! What a root waits for, and with it nothing else: it has no timer but for what is due.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use formation::AppName;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Somebody connects.
    Listener,
    /// A signal that ends a root.
    End,
    /// A child ended.
    Children,
    /// Something was removed from the root's own directory.
    Place,
    /// A client says something, or leaves.
    Client(u64),
    /// The supervisor of an app, no child of ours, ended.
    Supervisor(AppName),
}

/// All that is waited for.
#[derive(Debug)]
pub(crate) struct Pool {
    epoll: OwnedFd,
    sources: BTreeMap<u64, Source>,
    next: u64,
}

impl Pool {
    /// Nothing yet.
    pub(crate) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, sources: BTreeMap::new(), next: 0 })
    }

    /// Waits for this as well. It is forgotten once the descriptor is closed and [`Pool::forget`] is called.
    pub(crate) fn watch(&mut self, fd: BorrowedFd<'_>, source: Source) -> Result<(), Errno> {
        self.next += 1;
        epoll::add(&self.epoll, fd, epoll::EventData::new_u64(self.next), epoll::EventFlags::IN)?;
        self.sources.insert(self.next, source);
        Ok(())
    }

    /// No longer tells of a source.
    pub(crate) fn forget(&mut self, gone: &Source) {
        self.sources.retain(|_, source| source != gone);
    }

    /// What has happened; nothing once `timeout` has passed (`None`: never).
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Vec<Source>, Errno> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(errno) => return Err(errno),
        }
        Ok(events.iter().filter_map(|event| self.sources.get(&event.data.u64()).cloned()).collect())
    }
}
