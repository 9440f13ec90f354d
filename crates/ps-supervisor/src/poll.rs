//! A typed epoll: each descriptor is watched under a value of type `S` that says what it belongs to, and a wait returns the
//! values whose descriptors are ready.

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
    keys: HashMap<u64, S>,
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
        Ok(Self { epoll, keys: HashMap::new(), numbers: BTreeMap::new(), next: 0 })
    }

    /// Watches a descriptor for input. It is forgotten when it is closed and [`Poll::forget`] is called.
    ///
    /// # Errors
    /// The system has no memory for it, or the descriptor cannot be waited for.
    pub fn watch(&mut self, fd: BorrowedFd<'_>, key: S) -> Result<(), Errno> {
        self.add(fd, key, epoll::EventFlags::IN)
    }

    /// Watches a descriptor edge-triggered, for reading and writing.
    ///
    /// # Errors
    /// As for [`Poll::watch`].
    pub fn watch_changes(&mut self, fd: BorrowedFd<'_>, key: S) -> Result<(), Errno> {
        self.add(fd, key, epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET)
    }

    /// Watches a descriptor for its exceptional condition alone.
    ///
    /// # Errors
    /// As for [`Poll::watch`].
    pub fn watch_exceptions(&mut self, fd: BorrowedFd<'_>, source: S) -> Result<(), Errno> {
        self.add(fd, source, epoll::EventFlags::PRI)
    }

    fn add(&mut self, fd: BorrowedFd<'_>, key: S, flags: epoll::EventFlags) -> Result<(), Errno> {
        self.next += 1;
        let data = epoll::EventData::new_u64(self.next);
        epoll::add(&self.epoll, fd, data, flags)?;
        self.forget(&key);
        self.numbers.insert(key.clone(), self.next);
        self.keys.insert(self.next, key);
        Ok(())
    }

    /// Stops watching a descriptor that stays open.
    ///
    /// # Errors
    /// It is not watched.
    pub fn unwatch(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        epoll::delete(&self.epoll, fd)
    }

    /// Forgets a descriptor that was watched under this value and has been closed.
    pub fn forget(&mut self, key: &S) {
        if let Some(number) = self.numbers.remove(key) {
            self.keys.remove(&number);
        }
    }

    /// The same for all values that `is_meant` selects.
    pub fn forget_all(&mut self, is_meant: impl Fn(&S) -> bool) {
        let meant: Vec<S> = self.numbers.keys().filter(|key| is_meant(key)).cloned().collect();
        for key in &meant {
            self.forget(key);
        }
    }

    /// The values whose descriptors are ready; none if `timeout` passes first (`None`: waits for ever).
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
        Ok(events.iter().filter_map(|event| self.keys.get(&event.data.u64()).cloned()).collect())
    }
}
