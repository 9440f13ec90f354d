//! The two ways from a command line to a process. Both end in the same: it is in its cgroup, has its limit of open files and its
//! tag, and none of these came later than the process itself.
//!
//! *At once*: what a process inherits, the supervisor takes on itself for as long as a fork takes. *By launch*: our own program
//! is started and becomes the command ([`crate::launch`]). That takes three times as long, and is for where the first way is not to
//! be had: who is not there, or may not be run, is told of in the words of a shell.

use std::path::Path;
use std::process::{Child, Command};

use formation::Slot;
use os_process::{Cgroup, tagged};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::command::Invocation;
use crate::entry::Entry;
use crate::marks::MARKER;
use crate::process::Given;
use crate::signals::unblocked;
use crate::spec::Spec;

/// A process that is about to be started.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// What is wanted.
    pub(crate) spec: &'a Spec,
    /// What it is started with.
    pub(crate) given: &'a Given<'a>,
    /// What it becomes.
    pub(crate) invocation: Invocation,
}

impl Start<'_> {
    /// Starts it without a step in between. `None`: nothing was started.
    pub(crate) fn at_once(&self) -> Option<Child> {
        let Given { tree, environment, descriptors, cgroups, .. } = *self.given;
        let mut command = self.invocation.found_command(environment, &self.spec.directory)?;
        self.prepare(&mut command).ok()?;
        let mut start = || limited(descriptors.inherited, || self.spawn(&mut command));
        match tree.cgroup() {
            Some(cgroup) => cgroups?.within(cgroup, start)?.ok(),
            None => start().ok(),
        }
    }

    /// Starts our own program, which becomes it.
    pub(crate) fn by_launch(&self, slot: &Slot) -> Result<Child, String> {
        let Given { tree, descriptors, .. } = *self.given;
        let joining_file = tree.cgroup().map(Cgroup::joining_file);
        let entry = Entry { joining: joining_file.as_deref(), open_files: descriptors.inherited };
        let mut command = self.invocation.command(entry);
        self.prepare(&mut command).map_err(|error| format!("open output of {slot}: {error}"))?;
        let place = self.spec.directory.display();
        self.spawn(&mut command).map_err(|error| format!("start {slot} in {place}: {error}"))
    }

    fn prepare(&self, command: &mut Command) -> std::io::Result<()> {
        let Given { tree, environment, output, .. } = *self.given;
        let directory: &Path = &self.spec.directory;
        command.env_clear().envs(environment.iter()).env(MARKER, tree.marker()).current_dir(directory);
        output.connect(command)
    }

    fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        tagged(self.given.tree.tag(), || unblocked(|| command.spawn()))
    }
}

/// Runs `start` while whatever it starts inherits this soft limit of open files. No descriptor above it can be opened meanwhile.
fn limited<T>(open_files: Option<u64>, start: impl FnOnce() -> T) -> T {
    let Some(files) = open_files else { return start() };
    let before = getrlimit(Resource::Nofile);
    // At worst the process has more than it was meant to have.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..before });
    let started = start();
    let _ = setrlimit(Resource::Nofile, before);
    started
}
