//! What all seats of one supervisor share: the spec, and what was read of the machine. Reading /proc or the ports costs the
//! same for one instance and for 300, so each is read at most once a turn, when the first seat needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use formation::Slot;
use os_process::{Census, CgroupRoot, Listeners, Newcomer, Tree, gather, signal_process};
use rustix::process::Signal;

use crate::address::Socket;
use crate::begun::Begun;
use crate::descriptors::Descriptors;
use crate::diary::Diary;
use crate::environment::Environments;
use crate::groups;
use crate::health::{CommandTry, Ending};
use crate::marks::{MARKER, mark};
use crate::news::NewsDesk;
use crate::notify_socket::NotifySocket;
use crate::numbers::Numbers;
use crate::ports::Claims;
use crate::programs::Programs;
use crate::run_name::RunName;
use crate::spec::Spec;
use crate::state::State;

/// What all seats of one supervisor share.
#[derive(Debug)]
pub(crate) struct Means {
    /// The service directory.
    pub(crate) service: PathBuf,
    /// The spec.
    pub(crate) spec: Spec,
    /// Where cgroups are made; `None` if they cannot be.
    pub(crate) cgroups: Option<CgroupRoot>,
    /// The file with the status of every slot.
    pub(crate) state: State,
    /// The runs that are about to be started beside another.
    pub(crate) begun: Begun,
    /// Hands out the numbers of runs.
    pub(crate) numbers: Numbers,
    /// Collects the events of runs for the rollout.
    pub(crate) news: NewsDesk,
    /// What happened without anybody asking for it.
    pub(crate) diary: Diary,
    /// The processes of the machine, as read in this turn.
    pub(crate) census: Census,
    /// Whether no earlier supervisor has left a process, while this one begins.
    pub(crate) is_clear: bool,
    /// The main processes that live, and the program of an errand, once ends were looked for in this turn.
    pub(crate) mains: BTreeSet<u32>,
    /// What was started and is not in its cgroup yet.
    pub(crate) newcomers: Vec<Newcomer>,
    /// What could not be brought into its cgroup, by the pid of its main process, and why.
    pub(crate) left_outside: Vec<(u32, String)>,
    /// The notify socket, once a type needs it.
    pub(crate) notify: Option<NotifySocket>,
    /// The ports on which processes listen, as read in this turn.
    pub(crate) listeners: Listeners,
    /// Groups of checks that were killed and may not be empty yet.
    pub(crate) ending: Vec<Ending>,
    /// `on_failure` commands that run.
    pub(crate) unheard: Vec<CommandTry>,
    /// The ports that the instances of all apps keep.
    pub(crate) claims: Claims,
    /// The variables from the env files.
    pub(crate) environments: Environments,
    /// Where programs were found in this turn.
    pub(crate) programs: Programs,
    /// How many descriptors may be used.
    pub(crate) descriptors: Descriptors,
    /// The listening sockets of the app's address, for instances that are given them.
    pub(crate) sockets: Vec<Socket>,
    /// What is amiss with each process type, by its name, for the notes of runs that start.
    pub(crate) warnings: BTreeMap<String, String>,
}

impl Means {
    /// For a supervisor that has not read anything of the machine yet.
    pub(crate) fn new(service: &Path, spec: Spec, state: State, descriptors: Descriptors) -> Self {
        let (news, diary, claims, environments, programs) = Default::default();
        let (notify, listeners, ending, unheard, mains, is_clear) = Default::default();
        let (newcomers, left_outside) = Default::default();
        let (census, cgroups) = (Census::of_service(MARKER, service), groups::root(service));
        let (begun, numbers) = (Begun::of(service), Numbers::of(service.to_owned()));
        let service = service.to_owned();
        Self {
            service,
            spec,
            cgroups,
            state,
            begun,
            numbers,
            news,
            diary,
            census,
            is_clear,
            mains,
            newcomers,
            left_outside,
            notify,
            listeners,
            ending,
            unheard,
            claims,
            environments,
            programs,
            descriptors,
            sockets: Vec::new(),
            warnings: BTreeMap::new(),
        }
    }

    /// The notify socket, which is made if it is not there yet.
    ///
    /// # Errors
    /// Why it cannot be made, for people.
    pub(crate) fn notify_socket(&mut self) -> Result<&NotifySocket, String> {
        if self.notify.is_none() {
            self.notify = Some(NotifySocket::listen(&self.service)?);
        }
        self.notify.as_ref().ok_or_else(|| "it was not made".to_owned())
    }

    /// Brings what was started into its cgroup. What cannot be brought there is killed.
    pub(crate) fn bring_inside(&mut self) {
        let newcomers = std::mem::take(&mut self.newcomers);
        if newcomers.is_empty() {
            return;
        }
        for (pid, error) in gather(&newcomers, &self.mains, &self.census) {
            // It is our child and not reaped, so the pid is its own.
            signal_process(pid, Signal::KILL, || true);
            self.left_outside.push((pid, error.to_string()));
        }
    }

    /// Begins a new turn: facts about the machine are read again when they are needed.
    pub(crate) fn begin_turn(&mut self) {
        self.census.begin_turn();
        self.listeners.forget();
        self.claims.release();
        self.environments.forget();
        self.programs.forget();
    }

    /// The tree of a run that is about to be started.
    pub(crate) fn new_tree(&self, slot: &Slot, number: u64) -> Tree {
        self.tree(slot, number, true)
    }

    /// The process tree of a run. `is_new`: no process was ever started in it.
    pub(crate) fn tree(&self, slot: &Slot, number: u64, is_new: bool) -> Tree {
        let name = RunName { slot: slot.clone(), number };
        let marker = mark(&self.service, slot, number).to_string_lossy().into_owned();
        Tree::new(self.cgroups.as_ref().map(|root| root.group(&name)), marker, is_new)
    }
}
