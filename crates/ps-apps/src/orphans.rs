//! Hooks that a holder of an app's lock had started when it was killed. The lock is free, and they run on to their
//! end: whoever comes next can wait for them a while, so that two deploys do not cross. They are known by the token in
//! their environment; those that are another user's are not seen.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::{AppLock, LOCK_VARIABLE};

const POLL: Duration = Duration::from_millis(100);

/// Hooks that still run though the command that had started them was killed. Displays as what a person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    pids: Vec<u32>,
}

impl fmt::Display for Orphans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pids: Vec<String> = self.pids.iter().map(u32::to_string).collect();
        let pids = pids.join(", ");
        write!(f, "Hooks that a killed command had started still run (pid {pids}): going on beside them")
    }
}

impl AppLock {
    /// The hooks of this app that earlier holders of its lock left running, after waiting at most `wait` for them to end;
    /// `None` once none is left, and for who holds the lock with its caller, whose hooks are no orphans.
    pub fn orphans(&self, wait: Duration) -> Option<Orphans> {
        let deadline = Instant::now() + wait;
        loop {
            let pids = if self.is_callers() { Vec::new() } else { self.marked_by_others() };
            if pids.is_empty() {
                return None;
            }
            if Instant::now() >= deadline {
                return Some(Orphans { pids });
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
