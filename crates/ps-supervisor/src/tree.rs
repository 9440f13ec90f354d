//! The tree of one instance: its main process and everything that came from it. With a cgroup nothing can leave it.
//! Without one it is found by descent, process group and a marker in the environment: best effort, and `is_exact` says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cgroup::{self, Cgroup};

/// The variable that marks every process of an instance.
pub(crate) const MARKER: &str = "FORMATION_INSTANCE";

/// The pids of every process of an instance whose main process is `main`, the oldest first; `instance` is its directory.
pub fn pids(instance: &Path, main: u32) -> Vec<u32> {
    let tree = Tree::new(None, instance.to_string_lossy().into_owned(), false);
    let mut members = tree.members(Some(main));
    for process in cgroup::group_of(main).iter().flat_map(Cgroup::members).filter_map(process) {
        members.insert(process.pid, process.start_time);
    }
    let mut pids: Vec<(u64, u32)> = members.into_iter().map(|(pid, start_time)| (start_time, pid)).collect();
    pids.sort_unstable();
    pids.into_iter().map(|(_, pid)| pid).collect()
}

/// How the processes of one instance are found.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    cgroup: Option<Cgroup>,
    marker: String,
    is_new: bool,
}

impl Tree {
    /// The tree of the instance that `marker` names, in `cgroup` if there is one. `is_new`: nothing was ever started
    /// in it.
    pub(crate) fn new(cgroup: Option<Cgroup>, marker: String, is_new: bool) -> Self {
        Self { cgroup, marker, is_new }
    }

    /// Whether an earlier supervisor may have left processes in it.
    pub(crate) fn may_hold_strays(&self) -> bool {
        !self.is_new
    }

    /// Its cgroup.
    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The value of the marking variable.
    pub(crate) fn marker(&self) -> &str {
        &self.marker
    }

    /// Whether no process is left. `main` is the main process, if it has not been reaped.
    pub(crate) fn is_empty(&self, main: Option<u32>) -> bool {
        match &self.cgroup {
            Some(cgroup) => main.is_none() && cgroup.is_empty(),
            None => self.members(main).is_empty(),
        }
    }

    /// The main process of a tree whose supervisor died before it could write down the pid: the one that leads a
    /// process group but no session, as we start it, and has no parent in the tree. The oldest, if there are several.
    pub(crate) fn find_main(&self) -> Option<u32> {
        // One that was just started may not have joined its group yet: its mark is found all the same.
        let mut pids: BTreeSet<u32> = self.members(None).into_keys().collect();
        pids.extend(self.cgroup.iter().flat_map(Cgroup::members));
        let members: Vec<Process> = pids.into_iter().filter_map(process).collect();
        let is_member = |pid: u32| members.iter().any(|process| process.pid == pid);
        let leads = |process: &&Process| process.group == process.pid && process.session != process.pid;
        let mut leaders: Vec<&Process> =
            members.iter().filter(leads).filter(|process| !is_member(process.parent)).collect();
        leaders.sort_by_key(|process| (process.start_time, process.pid));
        leaders.first().map(|process| process.pid)
    }

    /// SIGTERM to all of it, SIGCONT after it: a stopped process could not obey.
    pub(crate) fn terminate(&self, main: Option<u32>) {
        for signal in [Signal::TERM, Signal::CONT] {
            self.signal(main, signal);
        }
    }

    /// A signal to all of it.
    pub(crate) fn signal(&self, main: Option<u32>, signal: Signal) {
        match &self.cgroup {
            Some(cgroup) => {
                let told = cgroup.signal(signal);
                signal_newcomer(&told, main, signal);
            }
            None => self.signal_members(main, signal),
        }
    }

    /// SIGKILL to all of it.
    pub(crate) fn kill(&self, main: Option<u32>) {
        match &self.cgroup {
            Some(cgroup) => {
                cgroup.kill();
                signal_newcomer(&[], main, Signal::KILL);
            }
            None => self.signal_members(main, Signal::KILL),
        }
    }

    /// Gives back what the tree took of the machine, once it is empty.
    pub(crate) fn release(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
    }

    fn signal_members(&self, main: Option<u32>, signal: Signal) {
        for (pid, start_time) in self.members(main) {
            signal_process(pid, signal, || crate::status::start_time(pid) == Some(start_time));
        }
    }

    /// Pid and start time of every live process of the tree, found without a cgroup.
    fn members(&self, main: Option<u32>) -> BTreeMap<u32, u64> {
        let processes = processes();
        let is_ours = |process: &Process| {
            Some(process.pid) == main || Some(process.group) == main || self.is_marked(process.pid)
        };
        let mut tree: BTreeSet<u32> = processes.iter().filter(|p| is_ours(p)).map(|p| p.pid).collect();
        loop {
            let children: Vec<u32> = processes
                .iter()
                .filter(|process| tree.contains(&process.parent) && !tree.contains(&process.pid))
                .map(|process| process.pid)
                .collect();
            if children.is_empty() {
                break;
            }
            tree.extend(children);
        }
        processes.iter().filter(|p| tree.contains(&p.pid)).map(|p| (p.pid, p.start_time)).collect()
    }

    fn is_marked(&self, pid: u32) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        let wanted = format!("{MARKER}={}", self.marker);
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    }
}

/// Signals a main process that had not joined its group when the group was `told`: it was just started.
fn signal_newcomer(told: &[u32], main: Option<u32>, signal: Signal) {
    // It is our child and has not been reaped, or its pidfd is open: the pid is still its own.
    if let Some(pid) = main.filter(|pid| !told.contains(pid)) {
        signal_process(pid, signal, || true);
    }
}

/// Signals a process through a pidfd, if `is_it` still says so once the pidfd is open.
fn signal_process(pid: u32, signal: Signal, is_it: impl Fn() -> bool) {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(pidfd) = pidfd_open(raw, PidfdFlags::empty()) else { return };
    if is_it() {
        // One that has ended meanwhile needs no signal.
        let _: Result<(), Errno> = pidfd_send_signal(pidfd, signal);
    }
}

struct Process {
    pid: u32,
    parent: u32,
    group: u32,
    session: u32,
    start_time: u64,
}

/// Every live process; zombies are dead.
fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
}

fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse().ok();
    let is_alive = !matches!(fields.first(), Some(&("Z" | "X")));
    let start_time = fields.get(19)?.parse().ok()?;
    is_alive.then_some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start_time,
    })
}
