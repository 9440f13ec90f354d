//! A process that a verb runs to its end, outside of all seats: the `release` command of a deploy. Its process tree is
//! found like that of an instance, so that nothing that it started outlives the deploy.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use formation::{Exit, OutOfMemory, Slot};
use os_process::{Census, Cgroup, Tree};
use rustix::process::Signal;
use type_settings::TypeSettings;

use crate::command::Invocation;
use crate::confinement::Confinement;
use crate::entry::Entry;
use crate::groups;
use crate::launch::namespaces_of;
use crate::limits::{InForce, Limited};
use crate::marks::MARKER;

const LOOK: Duration = Duration::from_millis(20);
/// How often SIGKILL is sent again.
const KILLS: u32 = 50;

/// The process tree of a task.
#[derive(Debug)]
pub struct Task {
    tree: Tree,
    limited: Option<(Limited, InForce)>,
    /// The namespaces that its processes join.
    namespaces: Vec<PathBuf>,
}

impl Task {
    /// The task of that name in an existing service directory.
    pub fn new(service: &Path, slot: &Slot) -> Self {
        Self::named(service, &slot.to_string())
    }

    /// The task whose processes are marked by that name.
    pub(crate) fn named(service: &Path, name: &str) -> Self {
        let cgroup = groups::root(service).map(|root| root.group(name));
        let marker = service.join(name).to_string_lossy().into_owned();
        Self { tree: Tree::new(cgroup, marker, false), limited: None, namespaces: Vec::new() }
    }

    /// Limits it as it was set, before its command is made.
    ///
    /// # Errors
    /// What does not hold, where nothing is to be started without it.
    pub fn limit(&mut self, settings: &TypeSettings, service: &Path, slot: &Slot) -> Result<(), String> {
        // Nothing takes its place, whatever it uses.
        let settings = TypeSettings { memory_restart: None, ..settings.clone() };
        self.limited = Limited::make(&settings, service, &self.tree, &slot.to_string())?;
        Ok(())
    }

    /// It sees the file system as that process does.
    pub fn sees_as(&mut self, pid: u32) {
        self.namespaces = namespaces_of(pid);
    }

    /// Why its main process has ended so, if that was for want of memory.
    pub fn for_want_of_memory(&self, exit: Exit) -> Option<OutOfMemory> {
        let (limited, in_force) = self.limited.as_ref()?;
        limited.reason(in_force, Some(exit))
    }

    /// The command in the task's tree, with these variables; the caller sets its streams. `launcher` is `ps-supervise`,
    /// which applies the user and limits.
    ///
    /// # Errors
    /// The tree's cgroup could not be made, or the task needs a launcher and there is none.
    pub fn command<'a>(
        &self,
        invocation: &Invocation,
        variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
        confinement: Option<&Confinement>,
        launcher: Option<&Path>,
    ) -> io::Result<Command> {
        if let Some(cgroup) = self.tree.cgroup() {
            cgroup.make()?;
        }
        let of_limits = self.limited.iter().flat_map(|(limited, _)| limited.joining_files());
        let cgroups = self.tree.cgroup().map(Cgroup::joining_file).into_iter().chain(of_limits);
        let joining: Vec<PathBuf> = cgroups.chain(self.namespaces.iter().cloned()).collect();
        let entry = Entry { joining: &joining, confinement, ..Entry::default() };
        let mut command = invocation.command(entry, launcher)?;
        command.env_clear().envs(variables).env(MARKER, self.tree.marker());
        Ok(command)
    }

    /// Whether no process of it runs, except `main`.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty(None, &mut Census::new(MARKER))
    }

    /// Sends SIGTERM to all of it. `main` is its main process, which has not been reaped.
    pub fn terminate(&self, main: Option<u32>) {
        self.tree.terminate(main, Signal::TERM, &mut Census::new(MARKER));
    }

    /// Sends SIGKILL to all of it.
    pub fn kill(&self, main: Option<u32>) {
        self.tree.kill(main, &mut Census::new(MARKER));
    }

    /// Ends the processes that its main process left behind, after that was reaped: SIGTERM, then SIGKILL after `grace`.
    /// Removes the cgroup. False if a process would not end.
    pub fn end(&self, grace: Duration) -> bool {
        if !self.is_empty() {
            self.terminate(None);
        }
        let deadline = Instant::now() + grace;
        let mut kills = 0;
        while !self.is_empty() && kills < KILLS {
            if Instant::now() >= deadline {
                self.kill(None);
                kills += 1;
            }
            thread::sleep(LOOK);
        }
        self.tree.release();
        if let Some((limited, _)) = &self.limited {
            limited.remove();
        }
        self.is_empty()
    }
}
