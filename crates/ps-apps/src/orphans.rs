//! Hooks that a command had started when it was killed. The kernel has freed the app's lock, and the hooks run on to their
//! end. The next command can wait for them a while, so that two deploys do not run at the same time. A hook is known by the
//! token of the lock in its environment; this process cannot read the environment of another user's processes.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lock::{AppLock, LOCK_VARIABLE};

const POLL: Duration = Duration::from_millis(100);

/// Hooks that still run although the command that had started them was killed. Displays as a message for people.
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
    /// The hooks of this app that earlier holders of its lock left running, after waiting at most `wait` for them to end.
    /// `None` once none is left. Always `None` if the caller of this process holds the lock, because that caller waits for
    /// its hooks.
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

    /// Signals the hooks that this holder of the lock has started, and every process that these have started; returns
    /// whether there was one. If the caller of this process holds the lock, no process is signalled, because the signal
    /// would reach the caller too.
    pub fn signal_helpers(&self, signal: Signal) -> bool {
        if self.is_callers() {
            return false;
        }
        let (_, own) = self.token();
        let is_own = |entry: &[u8]| entry_value(entry).is_some_and(|value| OsStr::from_bytes(value) == own);
        let helpers = marked(is_own);
        for pid in &helpers {
            // The environment is read again once the pidfd is open: the pid may belong to another process by then.
            os_process::signal_process(*pid, signal, || is_marked(*pid, is_own));
        }
        !helpers.is_empty()
    }

    fn marked_by_others(&self) -> Vec<u32> {
        let (_, own) = self.token();
        let app = own.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        let mark = [app, b" "].concat();
        marked(|entry| {
            let value = entry_value(entry);
            value.is_some_and(|value| value.starts_with(&mark) && OsStr::from_bytes(value) != own)
        })
    }
}

/// The token, if this entry of an environment is the lock's variable.
fn entry_value(entry: &[u8]) -> Option<&[u8]> {
    entry.strip_prefix(LOCK_VARIABLE.as_bytes())?.strip_prefix(b"=")
}

/// The processes whose environment has such an entry.
fn marked(is_meant: impl Fn(&[u8]) -> bool + Copy) -> Vec<u32> {
    let mut marked: Vec<u32> = os_process::pids().filter(|pid| is_marked(*pid, is_meant)).collect();
    marked.sort_unstable();
    marked
}

fn is_marked(pid: u32, is_meant: impl Fn(&[u8]) -> bool) -> bool {
    let environment = os_process::environment(pid);
    environment.is_some_and(|environment| environment.split(|byte| *byte == 0).any(is_meant))
}
