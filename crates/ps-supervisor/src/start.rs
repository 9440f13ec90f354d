//! Starts the process of a slot, in one of two ways. In both, it has its limit of open files and its mark before its command begins.
//!
//! *At once*: the supervisor changes its own limits for the moment of the fork, and the process inherits them. It is brought into its
//! cgroup afterwards, together with what else was started in the same moment ([`os_process::gather`]). *By launch*: our own program is started, enters the cgroup, takes the other steps and
//! executes the command ([`crate::launch`]). That takes three times as
//! long. It is used if the type has a user or limits of its own or is given listening sockets, or if the first way fails, for instance because the
//! program is missing: the launcher then prints a shell's message into the instance's log and exits with a shell's status.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use env_files::Environment;
use formation::Slot;
use os_process::{Cgroup, Tree, tagged};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::command::Invocation;
use crate::confinement::Confinement;
use crate::descriptors::Descriptors;
use crate::entry::Entry;
use crate::launch;
use crate::limits::Limited;
use crate::marks::MARKER;
use crate::output::Output;
use crate::process::Process;
use crate::programs::Programs;
use crate::spawn::{self, Spawn};
use crate::spec::Spec;

/// What a process is started with, beside its spec.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// Its process tree.
    pub(crate) tree: &'a Tree,
    /// Its variables.
    pub(crate) environment: &'a Environment,
    /// Where programs were found.
    pub(crate) programs: &'a mut Programs,
    /// Its input and its output.
    pub(crate) output: &'a Output,
    /// How many descriptors it may have.
    pub(crate) descriptors: Descriptors,
    /// Where it is limited, if something was set.
    pub(crate) limited: Option<&'a Limited>,
    /// The listening sockets that are for it.
    pub(crate) sockets: Vec<Arc<OwnedFd>>,
}

/// A process that was just started.
#[derive(Debug)]
pub(crate) struct Started {
    /// The process.
    pub(crate) process: Process,
    /// Whether it is not in its cgroup yet.
    pub(crate) is_outside: bool,
}

/// Starts the process of a slot. An error gives the reason, for people.
#[inline(never)]
pub(crate) fn spawn(spec: &Spec, slot: &Slot, given: Given<'_>) -> Result<Started, String> {
    let Given { tree, environment, .. } = given;
    let wanted = spec.process(&slot.process_type);
    let wanted = wanted.ok_or_else(|| format!("{} has no command for {}", spec.app, slot.process_type))?;
    let invocation = Invocation::of(&wanted.command, environment)?;
    if let Some(cgroup) = tree.cgroup() {
        cgroup.make().map_err(|error| format!("make the cgroup of {slot}: {error}"))?;
    }
    let confinement = Confinement::of(&wanted.settings);
    let mut start = Start { spec, given, invocation, confinement };
    // Before it is there: on a busy machine it may have lived for a while when we go on.
    let started = os_process::since_boot();
    let (pid, is_outside) = match start.at_once() {
        Some(pid) => (pid, true),
        None => (start.by_launch(slot)?, false),
    };
    Ok(Started { process: Process::child(pid, started), is_outside })
}

/// A start that has been prepared.
#[derive(Debug)]
struct Start<'a> {
    /// What is wanted.
    spec: &'a Spec,
    /// What it is started with.
    given: Given<'a>,
    /// What it becomes.
    invocation: Invocation,
    /// Its user and limits, if any are set.
    confinement: Option<Confinement>,
}

impl Start<'_> {
    /// Starts it directly; its pid. `None`: that is not possible, and nothing was started.
    #[inline(never)]
    fn at_once(&mut self) -> Option<u32> {
        let Given { tree, environment, output, descriptors, .. } = self.given;
        // Only the process itself knows its pid, which LISTEN_PID is to be.
        if !self.given.sockets.is_empty() {
            return None;
        }
        // The limits would have to be set in the supervisor itself while it starts the process. The launcher sets them in its
        // own process instead.
        if self.confinement.is_some() || self.given.limited.is_some() {
            return None;
        }
        let directory: &Path = &self.spec.directory;
        let (program, words) = self.invocation.found(environment, directory, self.given.programs)?;
        let spawn = Spawn {
            program: &program,
            words: &words,
            environment,
            marker: tree.marker(),
            directory,
            streams: output.streams().ok()?,
            leads: output.has_group_of_its_own(),
            passed: Vec::new(),
        };
        limited(descriptors.inherited, || tagged(tree.tag(), || spawn.start())).ok()
    }

    /// Starts our own program, which executes the command; its pid.
    #[inline(never)]
    fn by_launch(&self, slot: &Slot) -> Result<u32, String> {
        let Given { tree, descriptors, limited, .. } = self.given;
        let of_limits = limited.into_iter().flat_map(Limited::joining_files);
        let joining: Vec<PathBuf> =
            tree.cgroup().map(Cgroup::joining_file).into_iter().chain(of_limits).collect();
        let entry = Entry {
            joining: &joining,
            open_files: descriptors.inherited,
            confinement: self.confinement.as_ref(),
            has_sockets: !self.given.sockets.is_empty(),
        };
        let launcher = launch::program();
        let command = self.invocation.command(entry, launcher.as_deref());
        let mut command = command.map_err(|error| format!("start {slot}: {error}"))?;
        if let Some(launcher) = launcher.as_deref().filter(|_| entry.has_sockets) {
            let started = self.with_sockets(launcher, &command);
            return started.map_err(|error| format!("give {slot} its sockets: {error}"));
        }
        self.prepare(&mut command).map_err(|error| format!("open output of {slot}: {error}"))?;
        let place = self.spec.directory.display();
        let started = tagged(tree.tag(), || command.spawn());
        started.map(|child| child.id()).map_err(|error| format!("start {slot} in {place}: {error}"))
    }

    /// Starts our own program as this command of it, with the sockets; its pid.
    fn with_sockets(&self, launcher: &Path, command: &Command) -> std::io::Result<u32> {
        let Given { tree, environment, output, sockets, .. } = &self.given;
        let spawn = Spawn {
            program: launcher,
            words: &launch::words(command),
            environment,
            marker: tree.marker(),
            directory: &self.spec.directory,
            streams: output.streams()?,
            leads: output.has_group_of_its_own(),
            passed: spawn::beyond(sockets.iter().map(Arc::as_ref))?,
        };
        tagged(tree.tag(), || spawn.start())
    }

    fn prepare(&self, command: &mut Command) -> std::io::Result<()> {
        let Given { tree, environment, output, .. } = self.given;
        let directory: &Path = &self.spec.directory;
        command.env_clear().envs(environment.iter()).env(MARKER, tree.marker()).current_dir(directory);
        output.connect(command)
    }
}

/// Calls `start` under this soft limit of open files, which children inherit. Meanwhile no descriptor with a higher number
/// can be opened.
fn limited<T>(open_files: Option<u64>, start: impl FnOnce() -> T) -> T {
    let Some(files) = open_files else { return start() };
    let before = getrlimit(Resource::Nofile);
    // If this fails, the process has a higher limit than intended.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..before });
    let started = start();
    let _ = setrlimit(Resource::Nofile, before);
    started
}
