//! Hooks that a holder of an app's lock had started when it was killed. The lock is free, and they run on to their
//! end: whoever comes next can wait for them a while, so that two deploys do not cross. They are known by the token in
//! their environment; those that are another user's are not seen.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::{AppLock, LOCK_VARIABLE};

const POLL: Duration = Duration::from_millis(100);

impl AppLock {
    /// The process ids of hooks of this app that earlier holders of its lock left running, after waiting at most `wait`
    /// for them to end. None for who holds the lock with its caller, whose hooks are no orphans.
    pub fn orphans(&self, wait: Duration) -> Vec<u32> {
        let deadline = Instant::now() + wait;
        loop {
            let left = if self.is_callers() { Vec::new() } else { self.marked_by_others() };
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            thread::sleep(POLL);
        }
    }

    fn marked_by_others(&self) -> Vec<u32> {
        let (_, own) = self.token();
        let app = own.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        let mark = [LOCK_VARIABLE.as_bytes(), b"=", app, b" "].concat();
        let is_left = |entry: &[u8]| {
            entry.starts_with(&mark) && OsStr::from_bytes(&entry[LOCK_VARIABLE.len() + 1..]) != own
        };
        let mut left: Vec<u32> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid: &u32| {
                fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(is_left))
            })
            .collect();
        left.sort_unstable();
        left
    }
}
