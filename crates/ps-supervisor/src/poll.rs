//! epoll with names: each descriptor is watched under a [`Source`], and a wait tells which sources are ready.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use formation::Slot;
use ps_rollout::Run;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// What a descriptor belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A child ended.
    ChildSignal,
    /// Somebody sent us a signal.
    Signal,
    /// That descriptor of an attachment can be read: everything is to end.
    End(usize),
    /// A process says how it is.
    Notify,
    /// Somebody connects.
    Listener,
    /// A client speaks, or can be spoken to.
    Client(u64),
    /// A run writes.
    Output {
        /// Its slot.
        slot: Slot,
        /// The run that began the logs it writes to.
        began: u64,
        /// 0 is stdout, 1 is stderr.
        index: usize,
    },
    /// The adopted process of the run with this number ended.
    Adopted(Slot, u64),
    /// Whoever is asked about a run has answered, by the place of the check among those of the run.
    Check(Run, usize),
    /// Files changed that are watched.
    Files(usize),
}

/// The descriptors being watched.
#[derive(Debug)]
pub(crate) struct Poll {
    epoll: OwnedFd,
    sources: HashMap<u64, Source>,
    numbers: BTreeMap<Source, u64>,
    next: u64,
}

impl Poll {
    /// Watches nothing yet.
    pub(crate) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, sources: HashMap::new(), numbers: BTreeMap::new(), next: 0 })
    }

    /// Watches a descriptor for input. It is forgotten when it is closed and [`Poll::forget`] is called.
    pub(crate) fn watch(&mut self, fd: BorrowedFd<'_>, source: Source) -> Result<(), Errno> {
        self.add(fd, source, epoll::EventFlags::IN)
    }

    /// Watches a descriptor for whatever changes about it, once each: that it can be read, or written to.
    pub(crate) fn watch_changes(&mut self, fd: BorrowedFd<'_>, source: Source) -> Result<(), Errno> {
        self.add(fd, source, epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET)
    }

    fn add(&mut self, fd: BorrowedFd<'_>, source: Source, flags: epoll::EventFlags) -> Result<(), Errno> {
        self.next += 1;
        let data = epoll::EventData::new_u64(self.next);
        epoll::add(&self.epoll, fd, data, flags)?;
        self.forget(&source);
        self.numbers.insert(source.clone(), self.next);
        self.sources.insert(self.next, source);
        Ok(())
    }

    /// Stops watching a descriptor that stays open.
    pub(crate) fn unwatch(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        epoll::delete(&self.epoll, fd)
    }

    /// No longer tells of a source.
    pub(crate) fn forget(&mut self, source: &Source) {
        if let Some(number) = self.numbers.remove(source) {
            self.sources.remove(&number);
        }
    }

    /// No longer tells of any run of a slot.
    pub(crate) fn forget_slot(&mut self, gone: &Slot) {
        let is_of_it = |source: &&Source| match source {
            Source::Output { slot, .. } | Source::Adopted(slot, _) => slot == gone,
            Source::Check(run, _) => run.slot == *gone,
            Source::ChildSignal
            | Source::Signal
            | Source::End(_)
            | Source::Notify
            | Source::Listener
            | Source::Client(_)
            | Source::Files(_) => false,
        };
        let of_it: Vec<Source> = self.numbers.keys().filter(is_of_it).cloned().collect();
        for source in &of_it {
            self.forget(source);
        }
    }

    /// The sources that are ready; none once `timeout` has passed (`None`: never).
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
