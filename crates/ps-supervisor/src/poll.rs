//! epoll with names: each descriptor is watched under a word for what it belongs to, its source, and a wait tells which sources
//! are ready.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// The descriptors being watched.
#[derive(Debug)]
pub struct Poll<S> {
    epoll: OwnedFd,
    sources: HashMap<u64, S>,
    numbers: BTreeMap<S, u64>,
    next: u64,
}

impl<S: Clone + Ord> Poll<S> {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, sources: HashMap::new(), numbers: BTreeMap::new(), next: 0 })
    }

    /// Watches a descriptor for input. It is forgotten when it is closed and [`Poll::forget`] is called.
    ///
    /// # Errors
    /// The system has no memory for it, or the descriptor cannot be waited for.
    pub fn watch(&mut self, fd: BorrowedFd<'_>, source: S) -> Result<(), Errno> {
        self.add(fd, source, epoll::EventFlags::IN)
    }

    /// Watches a descriptor for whatever changes about it, once each: that it can be read, or written to.
    ///
    /// # Errors
    /// As for [`Poll::watch`].
    pub fn watch_changes(&mut self, fd: BorrowedFd<'_>, source: S) -> Result<(), Errno> {
        self.add(fd, source, epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET)
    }

    fn add(&mut self, fd: BorrowedFd<'_>, source: S, flags: epoll::EventFlags) -> Result<(), Errno> {
        self.next += 1;
        let data = epoll::EventData::new_u64(self.next);
        epoll::add(&self.epoll, fd, data, flags)?;
        self.forget(&source);
        self.numbers.insert(source.clone(), self.next);
        self.sources.insert(self.next, source);
        Ok(())
    }

    /// Stops watching a descriptor that stays open.
    ///
    /// # Errors
    /// It is not watched.
    pub fn unwatch(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        epoll::delete(&self.epoll, fd)
    }

    /// No longer tells of a source.
    pub fn forget(&mut self, source: &S) {
        if let Some(number) = self.numbers.remove(source) {
            self.sources.remove(&number);
        }
    }

    /// No longer tells of any source that is meant.
    pub fn forget_all(&mut self, is_meant: impl Fn(&S) -> bool) {
        let meant: Vec<S> = self.numbers.keys().filter(|source| is_meant(source)).cloned().collect();
        for source in &meant {
            self.forget(source);
        }
    }

    /// The sources that are ready; none once `timeout` has passed (`None`: never).
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<S>, Errno> {
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
