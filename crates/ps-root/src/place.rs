//! The directory of a root, beside the service directories of its apps. No app can have its name.
//!
//! ```text
//! data/scheduler-native/.root/          its lock is on the directory itself: there is nothing to delete
//! data/scheduler-native/.root/control   its socket
//! data/scheduler-native/.root/holder    the socket of the holder
//! data/scheduler-native/.root/log       what the root prints: why it could not go on
//! data/scheduler-native/.root/ports/    which app has which port; supervisors write there
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use formation::AppName;
use rustix::fs::FlockOperation;
use rustix::process::geteuid;

use crate::Error;

const AGAIN: Duration = Duration::from_millis(5);

/// The service directories of one installation, with their root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    services: PathBuf,
}

impl Place {
    /// The place with these service directories.
    pub fn of(services: &Path) -> Self {
        Self { services: services.to_owned() }
    }

    /// The directory of all service directories.
    pub fn services(&self) -> &Path {
        &self.services
    }

    /// The root's own directory.
    pub fn own(&self) -> PathBuf {
        self.services.join(ps_supervisor::ROOT)
    }

    /// The file with the messages of a root.
    pub fn log(&self) -> PathBuf {
        self.own().join("log")
    }

    /// The service directory of an app.
    pub(crate) fn service(&self, app: &AppName) -> PathBuf {
        self.services.join(app.as_str())
    }

    /// Why a root of this user does not start the supervisor of an app, if it does not.
    pub(crate) fn refusal(&self, app: &AppName) -> Option<String> {
        let service = self.service(app);
        let owner = match service.symlink_metadata() {
            Ok(found) if found.is_dir() => found.uid(),
            Ok(_) => return Some(format!("{} of {app} is no directory", service.display())),
            Err(error) => return Some(format!("open {} of {app}: {error}", service.display())),
        };
        let is_ours = geteuid().is_root() || owner == geteuid().as_raw();
        (!is_ours).then(|| {
            let (owner, own) = (os_process::user_name(owner), os_process::user_name(geteuid().as_raw()));
            format!(
                "{} of {app} belongs to {owner}, not to {own}, as whom apps are kept here",
                service.display()
            )
        })
    }

    /// The apps that have a service directory.
    pub(crate) fn apps(&self) -> Vec<AppName> {
        let entries = fs::read_dir(&self.services).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Makes the root's own directory. The other directories must exist.
    ///
    /// # Errors
    /// The directory belongs to another user.
    pub(crate) fn make(&self) -> Result<(), Error> {
        let fail = |error| Error::io("open", &self.services, error);
        let owner = fs::metadata(&self.services).map_err(fail)?.uid();
        if owner != geteuid().as_raw() {
            let owner = os_process::user_name(owner);
            return Err(Error::Foreign { place: self.services.clone(), owner });
        }
        match DirBuilder::new().mode(0o700).create(self.own()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::io("create", &self.own(), error))
            }
            _ => Ok(()),
        }
    }

    /// Takes the lock, waiting up to `patience` for it; `None`: it was not free in that time.
    pub(crate) fn lock(&self, patience: Duration) -> Result<Option<File>, Error> {
        let own = self.own();
        let directory = File::open(&own).map_err(|error| Error::io("open", &own, error))?;
        let until = Instant::now() + patience;
        loop {
            match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(directory)),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(AGAIN),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(Error::io("lock", &own, errno)),
            }
        }
    }

    /// Whether an open directory holds the lock of the place that it is.
    pub(crate) fn is_locked_by(directory: &File) -> bool {
        rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}
