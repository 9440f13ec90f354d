//! What the seats of one supervisor share: what is wanted, and what was read of the machine. Much of that costs as much for
//! one instance as for 300, so it is read at most once in a turn, when the first seat asks for it.

use std::path::{Path, PathBuf};

use formation::Slot;
use os_process::{Census, CgroupRoot, Listeners, Tree};

use crate::descriptors::Descriptors;
use crate::environment::Environments;
use crate::groups;
use crate::health::{CommandTry, Ending};
use crate::marks::{MARKER, mark};
use crate::news::NewsDesk;
use crate::notify_socket::NotifySocket;
use crate::numbers::Numbers;
use crate::ports::Claims;
use crate::run_name::RunName;
use crate::spec::Spec;
use crate::state::State;

/// What every seat of a supervisor is run with.
#[derive(Debug)]
pub(crate) struct Means {
    /// The service directory.
    pub(crate) service: PathBuf,
    /// What is wanted.
    pub(crate) spec: Spec,
    /// Where groups are made, if they can be.
    pub(crate) cgroups: Option<CgroupRoot>,
    /// The file with what each slot is doing.
    pub(crate) state: State,
    /// The numbers of runs.
    pub(crate) numbers: Numbers,
    /// What happens to runs, for whoever carries a rollout out.
    pub(crate) news: NewsDesk,
    /// The processes of the machine.
    pub(crate) census: Census,
    /// Where processes say how they are, once a type asks for it.
    pub(crate) notify: Option<NotifySocket>,
    /// The ports that are listened on.
    pub(crate) listeners: Listeners,
    /// What is left of checks, and is being ended.
    pub(crate) ending: Vec<Ending>,
    /// Commands that run because a check has failed.
    pub(crate) unheard: Vec<CommandTry>,
    /// The ports that instances keep.
    pub(crate) claims: Claims,
    /// What the env files say.
    pub(crate) environments: Environments,
    /// How many descriptors there are.
    pub(crate) descriptors: Descriptors,
}

impl Means {
    /// Nothing of the machine has been read yet.
    pub(crate) fn new(service: &Path, spec: Spec, state: State, descriptors: Descriptors) -> Self {
        let (news, claims, environments) = Default::default();
        let (notify, listeners, ending, unheard) = Default::default();
        let (census, cgroups) = (Census::new(MARKER), groups::root(service));
        let (numbers, service) = (Numbers::of(service.to_owned()), service.to_owned());
        Self {
            service,
            spec,
            cgroups,
            state,
            numbers,
            news,
            census,
            notify,
            listeners,
            ending,
            unheard,
            claims,
            environments,
            descriptors,
        }
    }

    /// Where processes say how they are.
    ///
    /// # Errors
    /// Why they cannot.
    pub(crate) fn notify_socket(&mut self) -> Result<&NotifySocket, String> {
        if self.notify.is_none() {
            self.notify = Some(NotifySocket::listen(&self.service)?);
        }
        self.notify.as_ref().ok_or_else(|| "it was not made".to_owned())
    }

    /// A new turn begins: what was read of the machine is out of date.
    pub(crate) fn begin_turn(&mut self) {
        self.census.begin_turn();
        self.listeners.forget();
        self.claims.release();
        self.environments.forget();
    }

    /// The tree of a run that is about to be started.
    pub(crate) fn new_tree(&self, slot: &Slot, number: u64) -> Tree {
        self.tree(slot, number, true)
    }

    /// The tree of a run. `is_new`: nothing was ever started in it.
    pub(crate) fn tree(&self, slot: &Slot, number: u64, is_new: bool) -> Tree {
        let name = RunName { slot: slot.clone(), number };
        let marker = mark(&self.service, slot, number).to_string_lossy().into_owned();
        Tree::new(self.cgroups.as_ref().map(|root| root.group(&name)), marker, is_new)
    }
}
