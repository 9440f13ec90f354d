//! The process tree of one instance: its main process and everything that came from it. With a cgroup, no process can leave
//! the tree. Without one, a process belongs to it if any of five things is true: it descends from the main process, is in
//! its process group or in its session, has the instance's marker in its environment, or has its tag as a limit. A process
//! that got rid of all five cannot be found; a supervisor names processes that may be such.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Signal;

use crate::census::{Census, Process, process};
use crate::cgroup::{self, Cgroup};
use crate::foreign;
use crate::freezer;
use crate::identity::start_time;
use crate::listeners::{Listeners, Listens};
use crate::mark;
use crate::signal::signal_process;
use crate::stat::children;

/// How many descendants of the main process are examined before all processes of the tree are found.
const NEAREST: usize = 32;

/// The processes of instances, for readers. /proc is read once for all of them.
#[derive(Debug)]
pub struct Processes(Census);

impl Processes {
    /// Nothing is read yet. `variable` is the environment variable that marks processes.
    pub fn new(variable: &'static str) -> Self {
        Self(Census::new(variable))
    }

    /// The pids of all processes of an instance, the oldest first. `main` is its main process, and `marker` the path in its
    /// marks.
    pub fn of(&mut self, marker: &Path, main: u32) -> Vec<u32> {
        let mut pids: Vec<(u64, u32)> =
            self.members(marker, main).into_iter().map(|(pid, start_time)| (start_time, pid)).collect();
        pids.sort_unstable();
        pids.into_iter().map(|(_, pid)| pid).collect()
    }

    /// As [`Processes::of`], with pid and start time of each.
    pub fn members(&mut self, marker: &Path, main: u32) -> BTreeMap<u32, u64> {
        let tree = Tree::new(None, marker.to_string_lossy().into_owned(), false);
        let mut members = tree.members(Some(main), &mut self.0);
        for process in cgroup::group_of(main).iter().flat_map(Cgroup::members).filter_map(process) {
            members.insert(process.pid, process.start_time);
        }
        members
    }
}

/// What identifies the processes of one instance.
#[derive(Clone, Debug)]
pub struct Tree {
    cgroup: Option<Cgroup>,
    marker: String,
    tag: u64,
    is_new: bool,
}

impl Tree {
    /// The tree of the instance with that `marker`, in `cgroup` if there is one. `is_new`: no process was ever started in the
    /// tree.
    pub fn new(cgroup: Option<Cgroup>, marker: String, is_new: bool) -> Self {
        Self { cgroup, tag: mark::tag(&marker), marker, is_new }
    }

    /// Whether an earlier supervisor may have left processes in the tree.
    pub fn may_hold_strays(&self) -> bool {
        !self.is_new
    }

    /// Whether no process can leave the tree, because it has a cgroup.
    pub fn is_exact(&self) -> bool {
        self.cgroup.is_some()
    }

    /// The cgroup of the tree.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The value of the variable that marks the processes of the tree.
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// The tag of the processes of the tree.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    /// Whether no process is left. `main` is the main process, if it has not been reaped.
    pub fn is_empty(&self, main: Option<u32>, census: &mut Census) -> bool {
        match &self.cgroup {
            Some(cgroup) => main.is_none() && cgroup.is_empty(),
            None => self.members(main, census).is_empty(),
        }
    }

    /// The main process, if the supervisor died before it could record the pid: it leads a process group but no session, as
    /// the supervisor starts it, and its parent is not in the tree. If there are several, the oldest.
    pub fn find_main(&self, census: &mut Census) -> Option<u32> {
        // A process that was just started may not have joined its cgroup yet, but it has the marker already.
        let mut pids: BTreeSet<u32> = self.members(None, census).into_keys().collect();
        pids.extend(self.cgroup.iter().flat_map(Cgroup::members));
        let members: Vec<Process> = pids.into_iter().filter_map(process).collect();
        let is_member = |pid: u32| members.iter().any(|process| process.pid == pid);
        let leads = |process: &&Process| process.group == process.pid && process.session != process.pid;
        let mut leaders: Vec<&Process> =
            members.iter().filter(leads).filter(|process| !is_member(process.parent)).collect();
        leaders.sort_by_key(|process| (process.start_time, process.pid));
        leaders.first().map(|process| process.pid)
    }

    /// Asks every process to end with this signal. SIGCONT and a thaw follow, because neither a stopped nor a frozen
    /// process acts on a signal.
    pub fn terminate(&self, main: Option<u32>, signal: Signal, census: &mut Census) {
        self.thaw(main, census);
        for signal in [signal, Signal::CONT] {
            self.signal(main, signal, census);
        }
    }

    /// As [`Tree::terminate`], but only the main process gets the signal. The others are continued and thawed as well, because
    /// the main process may wait for them.
    pub fn terminate_main(&self, main: u32, signal: Signal, census: &mut Census) {
        self.thaw(Some(main), census);
        signal_newcomer(&[], Some(main), signal);
        self.signal(Some(main), Signal::CONT, census);
    }

    /// Thaws processes that are frozen.
    fn thaw(&self, main: Option<u32>, census: &mut Census) {
        match &self.cgroup {
            Some(cgroup) => {
                cgroup.thaw();
                freezer::thaw(main.into_iter().chain(cgroup.members()));
            }
            None => freezer::thaw(self.members(main, census).into_keys()),
        }
    }

    /// Sends a signal to every process.
    pub fn signal(&self, main: Option<u32>, signal: Signal, census: &mut Census) {
        match &self.cgroup {
            Some(cgroup) => {
                let told = cgroup.signal(signal);
                signal_newcomer(&told, main, signal);
            }
            None => self.signal_members(main, signal, census),
        }
    }

    /// Sends SIGKILL to every process.
    pub fn kill(&self, main: Option<u32>, census: &mut Census) {
        self.thaw(main, census);
        match &self.cgroup {
            Some(cgroup) => {
                cgroup.kill();
                signal_newcomer(&[], main, Signal::KILL);
            }
            None => self.signal_members(main, Signal::KILL, census),
        }
    }

    /// A sentence for people about processes of the tree that this process may not signal. Killing a cgroup needs no such
    /// permission.
    pub fn beyond_reach(&self, main: Option<u32>, census: &mut Census) -> Option<String> {
        let members = if self.is_exact() { BTreeMap::new() } else { self.members(main, census) };
        foreign::beyond_reach(members.into_keys())
    }

    /// Removes the cgroup of an empty tree.
    pub fn release(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
    }

    fn signal_members(&self, main: Option<u32>, signal: Signal, census: &mut Census) {
        for (pid, started) in self.members(main, census) {
            signal_process(pid, signal, || start_time(pid) == Some(started));
        }
        // The main process may have been started after the list was read.
        signal_newcomer(&[], main, signal);
    }

    /// Pid and start time of every living process, found without a cgroup.
    pub fn members(&self, main: Option<u32>, census: &mut Census) -> BTreeMap<u32, u64> {
        census.family(&self.marker, self.tag, main)
    }

    /// The pids of all processes of the tree.
    pub fn pids(&self, main: Option<u32>, census: &mut Census) -> BTreeSet<u32> {
        match &self.cgroup {
            // The main process may not have joined the group yet.
            Some(cgroup) => main.into_iter().chain(cgroup.members()).collect(),
            None => self.members(main, census).into_keys().collect(),
        }
    }

    /// Whether a process of the tree listens on a port. Mostly it is the main process or its child, so these are examined
    /// before all processes of the tree are searched.
    pub fn listens(
        &self,
        port: u16,
        main: Option<u32>,
        listeners: &mut Listeners,
        census: &mut Census,
    ) -> Listens {
        match listeners.on(port, main.into_iter().flat_map(nearest)) {
            found @ (Listens::Nobody | Listens::Own) => found,
            Listens::Other | Listens::Unknown => listeners.on(port, self.pids(main, census)),
        }
    }

    /// Whether a process belongs to the tree by its marks, group or session, and not by descent.
    pub fn is_root(&self, process: &Process, main: Option<u32>) -> bool {
        let is_mains = |main| [process.pid, process.group, process.session].contains(&main);
        main.is_some_and(is_mains)
            || process.marks.marker.as_deref() == Some(&*self.marker)
            || process.marks.tag == Some(self.tag)
    }
}

/// A process and some of its descendants, as far as they are known without reading all of /proc.
fn nearest(main: u32) -> impl Iterator<Item = u32> {
    let mut waiting = vec![main];
    let next = move || {
        let pid = waiting.pop()?;
        waiting.extend(children(pid).into_iter().flatten());
        Some(pid)
    };
    std::iter::from_fn(next).take(NEAREST)
}

/// Signals a main process that was not among the pids `told` of the group, because it had just been started.
fn signal_newcomer(told: &[u32], main: Option<u32>, signal: Signal) {
    // The process is a child that was not reaped, or its pidfd is open, so the pid is still its own.
    if let Some(pid) = main.filter(|pid| !told.contains(pid)) {
        signal_process(pid, signal, || true);
    }
}
