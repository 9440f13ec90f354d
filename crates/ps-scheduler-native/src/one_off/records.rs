//! The one-offs of an app: one record each, a file that the waiting program keeps locked. The kernel releases the lock
//! when that program dies.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use durable::Directory;
use formation::Slot;
use ps_scheduler::Error;
use ps_service::{Service, backend};
use ps_supervisor::Task;
use rustix::fs::{FlockOperation, flock};

const DIRECTORY: &str = "one-offs";
const SUFFIX: &str = ".lock";
/// The process type in the name of a one-off: `run.4711`.
const NAME: &str = "run";
/// How often another random name is tried if one is taken.
const DRAWS: u32 = 20;

/// The one-offs of one app.
pub(crate) struct OneOffs<'a> {
    pub(super) service: &'a Service,
    pub(super) directory: PathBuf,
}

impl<'a> OneOffs<'a> {
    pub(crate) fn of(service: &'a Service) -> Self {
        Self { service, directory: service.world.kept_dir(&service.app).join(DIRECTORY) }
    }

    /// A name that no one-off has.
    pub(crate) fn free_name(&self) -> Result<Slot, Error> {
        let taken = self.names();
        let mut drawn = (0..DRAWS).map(|_| Slot::new(NAME.parse().expect("run is a process type"), draw()));
        drawn.find(|name| !taken.contains(name)).ok_or_else(|| Error::Backend {
            context: format!("find a name for a one-off of {}", self.service.app),
            reason: "every name that was tried is in use: ps-lifecycle retire removes old ones".to_owned(),
        })
    }

    /// Ends the one-offs whose program does not wait for them any more, or all of them. Returns the names of those
    /// that are gone.
    pub(crate) fn end(&self, grace: Duration, is_all: bool) -> Vec<String> {
        let mut ended = Vec::new();
        for name in self.names() {
            let record = File::open(self.directory.join(file_name(&name)));
            let is_waited_for = record
                .as_ref()
                .is_ok_and(|record| flock(record, FlockOperation::NonBlockingLockExclusive).is_err());
            if is_waited_for && !is_all {
                continue;
            }
            if Task::new(&self.directory, &name).end(grace) {
                self.forget(&name);
                ended.push(name.to_string());
            }
        }
        ended
    }

    fn names(&self) -> Vec<Slot> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(SUFFIX)?.parse().ok();
        entries.filter_map(name).collect()
    }

    /// Creates the file for the output of a detached run, and returns it with its path.
    pub(crate) fn open_log(&self, name: &Slot) -> Result<(PathBuf, File), Error> {
        let path = self.directory.join(log_name(name));
        let context = || format!("create {}", path.display());
        Directory::open(self.service.world.lib(), &self.directory)
            .map_err(|error| backend(context(), &error))?;
        let log = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let log = log.map_err(|error| backend(context(), &error))?;
        Ok((path, log))
    }

    /// Creates the record of a one-off. The one-off counts as waited for as long as the returned file is open.
    pub(super) fn note(&self, name: &Slot) -> Result<File, Error> {
        let path = self.directory.join(file_name(name));
        let failed = |reason: &dyn Display| backend(format!("create {}", path.display()), reason);
        Directory::open(self.service.world.lib(), &self.directory).map_err(|error| failed(&error))?;
        let record = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let record = record.map_err(|error| failed(&error))?;
        flock(&record, FlockOperation::NonBlockingLockExclusive).map_err(|errno| failed(&errno))?;
        Ok(record)
    }

    /// Removes the output and the record of a one-off. If that fails, `retire` tries again.
    pub(super) fn forget(&self, name: &Slot) {
        for file in [log_name(name), file_name(name)] {
            let _ = fs::remove_file(self.directory.join(file));
        }
    }
}

fn file_name(name: &Slot) -> String {
    format!("{name}{SUFFIX}")
}

fn log_name(name: &Slot) -> String {
    format!("{name}.log")
}

fn draw() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mixed =
        u64::from(now.subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(std::process::id());
    u16::try_from(mixed >> 16 & 0xffff).unwrap_or(1).max(1)
}
