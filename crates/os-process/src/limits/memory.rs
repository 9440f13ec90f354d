//! The counters of the memory controller for one tree, and a wake-up when they change: version 2 has a file that can be
//! waited for, version 1 has eventfds. There is no wake-up while nothing happens.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{EventfdFlags, eventfd};

/// The last request for memory before the kernel kills a process of a group is no larger than this, in bytes. So the
/// highest recorded usage may be this far below the limit.
const LARGEST_PAGE: u64 = 64 << 10;

/// The group of one tree that has the memory controller.
#[derive(Clone, Debug)]
pub struct MemoryGroup {
    path: PathBuf,
    is_v2: bool,
}

/// A watch that wakes its owner when processes of a group are killed because memory ran out, and when the group uses more
/// than a given amount.
#[derive(Debug)]
pub enum MemoryWatch {
    /// `memory.events`, which signals both by an exceptional condition (POLLPRI).
    Events(File),
    /// An eventfd for kills, and one for the amount of memory.
    Eventfds(Vec<OwnedFd>),
}

impl MemoryGroup {
    pub(super) fn new(path: PathBuf, is_v2: bool) -> Self {
        Self { path, is_v2 }
    }

    /// How many processes of the group the kernel has killed because memory ran out.
    pub fn kills(&self) -> u64 {
        let file = if self.is_v2 { "memory.events" } else { "memory.oom_control" };
        number(&self.path.join(file), "oom_kill").unwrap_or(0)
    }

    /// Whether the group has ever reached its own limit. If not, the memory of the machine ran out.
    pub fn has_reached_limit(&self) -> bool {
        if self.is_v2 {
            return number(&self.path.join("memory.events"), "oom").unwrap_or(0) > 0;
        }
        let read = |file: &str| {
            let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
            text.trim().parse::<u64>().unwrap_or(0)
        };
        // If memory and swap have a common limit, that limit is reached, and later kernels do not count this as a failure.
        let most = read("memory.max_usage_in_bytes").saturating_add(LARGEST_PAGE);
        // A limit below the size of a page is rounded down to 0, and refusals are then not counted in any file.
        let is_none_at_all =
            fs::read_to_string(self.path.join("memory.limit_in_bytes")).is_ok_and(|it| it.trim() == "0");
        if is_none_at_all {
            return true;
        }
        ["memory.failcnt", "memory.memsw.failcnt"].into_iter().any(|file| read(file) > 0)
            || most >= read("memory.limit_in_bytes").max(LARGEST_PAGE + 1)
    }

    /// How much memory the group uses that the kernel could not reclaim, in bytes: the cache of files is left out.
    pub fn used(&self) -> Option<u64> {
        let names = if self.is_v2 { ["anon", "shmem"] } else { ["total_rss", "total_shmem"] };
        let file = self.path.join("memory.stat");
        let shared = number(&file, names[1]).unwrap_or(0);
        Some(number(&file, names[0])?.saturating_add(shared))
    }

    /// Whether the group uses more than this many bytes, including the cache of files.
    pub fn holds_more_than(&self, bytes: u64) -> bool {
        let file = if self.is_v2 { "memory.current" } else { "memory.usage_in_bytes" };
        let held = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        held.trim().parse::<u64>().is_ok_and(|held| held > bytes)
    }

    /// Returns a watch that wakes its owner when a process of the group is killed or, if `most` is given, when the
    /// group uses more than these bytes.
    pub fn watch(&self, most: Option<u64>) -> io::Result<MemoryWatch> {
        if self.is_v2 {
            self.tell_beyond(most)?;
            let mut watch = MemoryWatch::Events(File::open(self.path.join("memory.events"))?);
            watch.clear();
            return Ok(watch);
        }
        let mut fds = vec![self.register("memory.oom_control", "")?];
        if let Some(most) = most {
            fds.push(self.register("memory.usage_in_bytes", &most.to_string())?);
        }
        Ok(MemoryWatch::Eventfds(fds))
    }

    /// Turns the wake-up for a use of more than this many bytes on or off. Version 2 slows down a group that is beyond the
    /// limit, so it is turned on only until the first wake-up; version 1 wakes each time.
    pub fn tell_beyond(&self, most: Option<u64>) -> io::Result<()> {
        if !self.is_v2 {
            return Ok(());
        }
        let value = most.map_or_else(|| "max".to_owned(), |most| most.to_string());
        fs::write(self.path.join("memory.high"), value)
    }

    /// Registers an eventfd for events of a file, as version 1 does it (cgroup-v1/memory.rst).
    fn register(&self, file: &str, argument: &str) -> io::Result<OwnedFd> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let control = File::open(self.path.join(file))?;
        let order = format!("{} {} {argument}", event.as_raw_fd(), control.as_raw_fd());
        fs::write(self.path.join("cgroup.event_control"), order.trim_end())?;
        Ok(event)
    }
}

impl MemoryWatch {
    /// The descriptors to wait for, each with whether its exceptional condition is meant.
    pub fn descriptors(&self) -> Vec<(BorrowedFd<'_>, bool)> {
        match self {
            Self::Events(file) => vec![(file.as_fd(), true)],
            Self::Eventfds(fds) => fds.iter().map(|fd| (fd.as_fd(), false)).collect(),
        }
    }

    /// Acknowledges a wake-up, so that the next event wakes again. False if there will be none, because the group has
    /// lost its controller.
    pub fn clear(&mut self) -> bool {
        match self {
            Self::Events(file) => {
                let mut events = String::new();
                file.rewind().and_then(|()| file.read_to_string(&mut events)).is_ok()
            }
            Self::Eventfds(fds) => {
                for fd in fds {
                    let _ = rustix::io::read(fd, &mut [0; 8]);
                }
                true
            }
        }
    }
}

/// The number that follows a name in a file with one pair per line.
fn number(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(is_v2: bool, files: &[(&str, &str)]) -> (tempfile::TempDir, MemoryGroup) {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        let group = MemoryGroup::new(directory.path().to_owned(), is_v2);
        (directory, group)
    }

    #[test]
    fn kills_and_use_are_read_from_both_versions() {
        let events = "low 0\nhigh 3\nmax 9\noom 1\noom_kill 2\noom_group_kill 7\n";
        let (_kept, v2) =
            group(true, &[("memory.events", events), ("memory.stat", "anon 100\nfile 900\nshmem 20\n")]);
        assert_eq!((v2.kills(), v2.has_reached_limit(), v2.used()), (2, true, Some(120)));
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n";
        let stat = "cache 900\nrss 3\nshmem 5\ntotal_cache 900\ntotal_rss 70\ntotal_shmem 7\n";
        let (_kept, v1) = group(
            false,
            &[("memory.oom_control", control), ("memory.stat", stat), ("memory.failcnt", "0\n")],
        );
        assert_eq!((v1.kills(), v1.has_reached_limit(), v1.used()), (1, false, Some(77)));
        let both = [("memory.failcnt", "0\n"), ("memory.memsw.failcnt", "3\n")];
        let (_kept, v1) = group(false, &both);
        assert!(v1.has_reached_limit());
        let full = |most| [("memory.limit_in_bytes", "67108864\n"), ("memory.max_usage_in_bytes", most)];
        let (_kept, v1) = group(false, &full("67100672\n"));
        assert!(v1.has_reached_limit());
        let (_kept, v1) = group(false, &full("60000000\n"));
        assert!(!v1.has_reached_limit());
        let (_kept, v1) =
            group(false, &[("memory.limit_in_bytes", "0\n"), ("memory.max_usage_in_bytes", "0\n")]);
        assert!(v1.has_reached_limit(), "less than a page");
        let (_kept, gone) = group(true, &[]);
        assert_eq!((gone.kills(), gone.has_reached_limit(), gone.used()), (0, false, None));
    }
}
