//! A process that runs to its end for a verb, outside of every seat: the `release` command of a deploy. Its whole tree is
//! known as that of an instance is, so that nothing which it started outlives the deploy that waited for it.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use formation::Slot;
use os_process::{Census, Cgroup, Tree};
use rustix::process::Signal;

use crate::command::Invocation;
use crate::confinement::Confinement;
use crate::entry::Entry;
use crate::groups;
use crate::marks::MARKER;

const LOOK: Duration = Duration::from_millis(20);
/// How often what would not die is killed again.
const KILLS: u32 = 50;

/// The tree of a task.
#[derive(Debug)]
pub struct Task {
    tree: Tree,
}

impl Task {
    /// The task of that name in a service directory, which is there.
    pub fn new(service: &Path, slot: &Slot) -> Self {
        let cgroup = groups::root(service).map(|root| root.group(slot));
        let marker = service.join(slot.to_string()).to_string_lossy().into_owned();
        Self { tree: Tree::new(cgroup, marker, false) }
    }

    /// The command that becomes this in the task's tree, with these variables; its streams are the caller's to set. `launcher` is
    /// `ps-supervise`, which gives it its user and its limits.
    ///
    /// # Errors
    /// The tree's cgroup could not be made, or there is no launcher and it would take one.
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
        let joining_file = self.tree.cgroup().map(Cgroup::joining_file);
        let entry = Entry { joining: joining_file.as_deref(), open_files: None, confinement };
        let mut command = invocation.command(entry, launcher)?;
        command.env_clear().envs(variables).env(MARKER, self.tree.marker());
        Ok(command)
    }

    /// Whether nothing of it runs, `main` excepted.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty(None, &mut Census::new(MARKER))
    }

    /// SIGTERM to all of it; `main` is its main process, which has not been waited for.
    pub fn terminate(&self, main: Option<u32>) {
        self.tree.terminate(main, Signal::TERM, &mut Census::new(MARKER));
    }

    /// SIGKILL to all of it.
    pub fn kill(&self, main: Option<u32>) {
        self.tree.kill(main, &mut Census::new(MARKER));
    }

    /// Ends what its main process left behind, which has been waited for: SIGTERM, and SIGKILL after `grace`. Gives the
    /// tree back to the machine; false if something would not end.
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
        self.is_empty()
    }
}
