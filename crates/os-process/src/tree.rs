//! The tree of one instance: its main process and everything that came from it. With a cgroup nothing can leave it.
//! Without one a process is found by any of five things: it descends from the main process, is of its process group or
//! session, bears the instance's marker in its environment, or its tag among its limits. A process that got rid of all
//! five cannot be found; a supervisor names those that may be such.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Signal;

use crate::census::{Census, Process, process};
use crate::cgroup::{self, Cgroup};
use crate::foreign;
use crate::freezer;
use crate::identity::start_time;
use crate::mark;
use crate::signal::signal_process;

/// The processes of instances, for whoever only looks. /proc is read once for all of them.
#[derive(Debug)]
pub struct Processes(Census);

impl Processes {
    /// Nothing is read yet. `variable` is the one that marks processes.
    pub fn new(variable: &'static str) -> Self {
        Self(Census::new(variable))
    }

    /// The pids of every process of an instance whose main process is `main`, the oldest first; `marker` is the path that
    /// marks them.
    pub fn of(&mut self, marker: &Path, main: u32) -> Vec<u32> {
        let mut pids: Vec<(u64, u32)> =
            self.members(marker, main).into_iter().map(|(pid, start_time)| (start_time, pid)).collect();
        pids.sort_unstable();
        pids.into_iter().map(|(_, pid)| pid).collect()
    }

    /// The same, pid and start time of each.
    pub fn members(&mut self, marker: &Path, main: u32) -> BTreeMap<u32, u64> {
        let tree = Tree::new(None, marker.to_string_lossy().into_owned(), false);
        let mut members = tree.members(Some(main), &mut self.0);
        for process in cgroup::group_of(main).iter().flat_map(Cgroup::members).filter_map(process) {
            members.insert(process.pid, process.start_time);
        }
        members
    }
}

/// How the processes of one instance are found.
#[derive(Clone, Debug)]
pub struct Tree {
    cgroup: Option<Cgroup>,
    marker: String,
    tag: u64,
    is_new: bool,
}

impl Tree {
    /// The tree of the instance that `marker` names, in `cgroup` if there is one. `is_new`: nothing was ever started
    /// in it.
    pub fn new(cgroup: Option<Cgroup>, marker: String, is_new: bool) -> Self {
        Self { cgroup, tag: mark::tag(&marker), marker, is_new }
    }

    /// Whether an earlier supervisor may have left processes in it.
    pub fn may_hold_strays(&self) -> bool {
        !self.is_new
    }

    /// Whether nothing can have left it: it has a cgroup.
    pub fn is_exact(&self) -> bool {
        self.cgroup.is_some()
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The value of the marking variable.
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// The tag that its processes bear.
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

    /// The main process of a tree whose supervisor died before it could write down the pid: the one that leads a
    /// process group but no session, as we start it, and has no parent in the tree. The oldest, if there are several.
    pub fn find_main(&self, census: &mut Census) -> Option<u32> {
        // One that was just started may not have joined its group yet: its mark is found all the same.
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

    /// A signal that asks for its end to all of it, SIGCONT after it: neither a stopped process nor a frozen one could obey.
    pub fn terminate(&self, main: Option<u32>, signal: Signal, census: &mut Census) {
        self.thaw(main, census);
        for signal in [signal, Signal::CONT] {
            self.signal(main, signal, census);
        }
    }

    /// The same to its main process alone. Whoever is stopped goes on all the same: it may be waited for.
    pub fn terminate_main(&self, main: u32, signal: Signal, census: &mut Census) {
        self.thaw(Some(main), census);
        signal_newcomer(&[], Some(main), signal);
        self.signal(Some(main), Signal::CONT, census);
    }

    /// Has those of its processes go on that somebody has frozen.
    fn thaw(&self, main: Option<u32>, census: &mut Census) {
        match &self.cgroup {
            Some(cgroup) => {
                cgroup.thaw();
                freezer::thaw(main.into_iter().chain(cgroup.members()));
            }
            None => freezer::thaw(self.members(main, census).into_keys()),
        }
    }

    /// A signal to all of it.
    pub fn signal(&self, main: Option<u32>, signal: Signal, census: &mut Census) {
        match &self.cgroup {
            Some(cgroup) => {
                let told = cgroup.signal(signal);
                signal_newcomer(&told, main, signal);
            }
            None => self.signal_members(main, signal, census),
        }
    }

    /// SIGKILL to all of it.
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

    /// Which of its processes we may not signal, for people. Killing a cgroup needs no such right.
    pub fn beyond_reach(&self, main: Option<u32>, census: &mut Census) -> Option<String> {
        let members = if self.is_exact() { BTreeMap::new() } else { self.members(main, census) };
        foreign::beyond_reach(members.into_keys())
    }

    /// Gives back what the tree took of the machine, once it is empty.
    pub fn release(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
    }

    fn signal_members(&self, main: Option<u32>, signal: Signal, census: &mut Census) {
        for (pid, started) in self.members(main, census) {
            signal_process(pid, signal, || start_time(pid) == Some(started));
        }
        // It may have been started since the census.
        signal_newcomer(&[], main, signal);
    }

    /// Pid and start time of every live process of the tree, found without a cgroup.
    pub fn members(&self, main: Option<u32>, census: &mut Census) -> BTreeMap<u32, u64> {
        census.family(&self.marker, self.tag, main)
    }

    /// Whether a process is of this tree by itself, not only by descent.
    pub fn is_root(&self, process: &Process, main: Option<u32>) -> bool {
        let is_mains = |main| [process.pid, process.group, process.session].contains(&main);
        main.is_some_and(is_mains)
            || process.origin.marker.as_deref() == Some(&*self.marker)
            || process.origin.tag == Some(self.tag)
    }
}

/// Signals a main process that had not joined its group when the group was `told`: it was just started.
fn signal_newcomer(told: &[u32], main: Option<u32>, signal: Signal) {
    // It is our child and has not been reaped, or its pidfd is open: the pid is still its own.
    if let Some(pid) = main.filter(|pid| !told.contains(pid)) {
        signal_process(pid, signal, || true);
    }
}
