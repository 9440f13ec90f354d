//! `PM2_HOME`: the directory in which scripts look for logs, pids and dumps. The data of the apps is below it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use formation::AppName;
use jiff::Timestamp;
use ps_apps::World;
use ps_scheduler_native::Native;
use rustix::fs::FlockOperation;

use crate::another::{Another, PID_FILE};

const OWN: &str = "formation";

/// The directory of pm2's files, and the paths in it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    directory: PathBuf,
}

/// Held by a verb that changes something: no other one changes anything meanwhile.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Home {
    /// `PM2_HOME`, or `.pm2` in the user's home.
    pub(crate) fn directory_of_user() -> Result<PathBuf> {
        ps_apps::pm2_home().context("neither HOME nor PM2_HOME is set: set one, so that apps have a place")
    }

    /// The home in this directory, and whether it is new. What is not there of its directories is made, for their owner alone.
    pub(crate) fn open_in(directory: &Path) -> Result<(Self, bool)> {
        let home = Self::at(directory);
        let is_new = !home.own().exists();
        for part in [home.own(), home.logs(), home.pids()] {
            durable::create_private(&part)
                .context("apps have no place: set PM2_HOME to a directory that you may write")?;
        }
        Ok((home, is_new))
    }

    /// The home in this directory, which has to exist.
    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What is ours alone.
    pub(crate) fn own(&self) -> PathBuf {
        self.directory.join(OWN)
    }

    /// The world that the apps belong to.
    pub(crate) fn world(&self) -> World {
        World::of_pm2(&self.directory)
    }

    /// Who runs the apps.
    pub(crate) fn native(&self) -> Native {
        Native::new(&self.world())
    }

    /// Where Node programs in cluster mode share their ports.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.own().join("sockets")
    }

    /// Where apps are run from of which no files are watched.
    pub(crate) fn source(&self, app: &str) -> PathBuf {
        self.own().join("sources").join(app)
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    pub(crate) fn pids(&self) -> PathBuf {
        self.directory.join("pids")
    }

    /// What was done, a line each.
    pub(crate) fn diary(&self) -> PathBuf {
        self.directory.join("pm2.log")
    }

    /// Takes the lock that every change needs, and waits for it.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.own().join("lock");
        let lock = || -> io::Result<File> {
            let file = private(&path)?;
            rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))?;
            Ok(file)
        };
        let file = lock().with_context(|| format!("lock {}", path.display()))?;
        Ok(Lock { _file: file })
    }

    /// Writes a line down. Where that is not possible nothing else fails for it.
    pub(crate) fn note(&self, text: &str) {
        let now = Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_default();
        let _ = private(&self.diary()).and_then(|mut file| writeln!(file, "{now} : {text}"));
    }

    /// Writes the pid of what keeps the supervisors down where scripts look for it. That of another pm2 in this home, whose apps are
    /// being taken over, stays there.
    pub(crate) fn note_root(&self, app: &AppName) {
        if let Some(pid) = self.native().root(app)
            && Another::in_home(&self.directory).is_none()
        {
            let _ = durable::replace(&self.directory, PID_FILE, pid.to_string().as_bytes());
        }
    }

    /// Removes what an app was run from.
    pub(crate) fn forget_source(&self, app: &str) {
        let _ = fs::remove_dir_all(self.source(app));
    }
}

/// Opens a file for appending that only its owner can read, and creates it if it does not exist.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
