//! One lock per app, held by every program that changes its instances. It is an flock, so the kernel releases it when its
//! holder dies. The file names the holder, so that a refusal can do so too; no program decides anything by that text. A
//! program that the holder calls does not wait for the lock: the token in `FORMATION_LOCK` says that its caller holds it.
//! For example, `ps-scale` takes the lock and runs `ps-lifecycle converge`, which goes on at once.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use durable::Access;
use formation::AppName;
use os_process::start_time;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::scope::Scope;
use crate::{Error, World};

/// The environment variable that tells a program that its caller holds the lock for it. The processes of apps never get it.
pub const LOCK_VARIABLE: &str = "FORMATION_LOCK";

const POLL: Duration = Duration::from_millis(20);

/// The lock of one app, held until it is dropped.
#[derive(Debug)]
pub struct AppLock {
    token: String,
    held: Option<Held>,
    unfinished: Option<Error>,
}

#[derive(Debug)]
struct Held {
    file: File,
    path: PathBuf,
    /// Whether the last holder died without releasing the lock.
    is_left: bool,
    /// The stage directory, which is locked too. If the lock file is deleted, a new file at its path has no lock on it, since
    /// the deleted file is the one that is locked; the lock on the directory still works.
    _twin: Option<OwnedFd>,
}

impl World {
    /// Takes the lock of an app, waiting at most `wait`; [`Error::Busy`] names who holds it. If the caller of this process
    /// holds it (see [`LOCK_VARIABLE`]), this returns at once, and dropping the value does not give the caller's lock up.
    /// Before it returns, it completes the record that a killed deploy had begun to write.
    pub fn lock_app(&self, app: &AppName, wait: Duration) -> Result<AppLock, Error> {
        let parent = self.lib().join("data").join("formation");
        let path = parent.join(format!("{app}.lock"));
        if let Some(token) = callers_token(&path, app) {
            return Ok(AppLock { token, held: None, unfinished: None });
        }
        durable::create_root(self.lib()).map_err(Error::no_place)?;
        durable::create_below(self.lib(), &parent)?;
        let deadline = Instant::now() + wait;
        loop {
            if let Some(held) = self.try_hold(app, &path)? {
                let token = sign(&held.file, &path, app)?;
                // A full disk must not prevent stopping an app, so the lock is held all the same.
                let unfinished = self.finish_record(app).err();
                return Ok(AppLock { token, held: Some(held), unfinished });
            }
            if Instant::now() >= deadline {
                return Err(Error::Busy {
                    app: app.to_string(),
                    holder: holder(&path),
                    way_out: self.way_out().to_owned(),
                });
            }
            thread::sleep(POLL);
        }
    }

    /// The same as [`AppLock::token`], for a part of this program that knows only that the lock of `app` is held.
    pub fn lock_token(&self, app: &AppName) -> (&'static str, OsString) {
        let path = self.lib().join("data").join("formation").join(format!("{app}.lock"));
        let token = callers_token(&path, app).unwrap_or_else(|| token_of(app));
        (LOCK_VARIABLE, OsString::from(token))
    }

    fn way_out(&self) -> &'static str {
        if self.inside_dokku() {
            "try again when it has ended"
        } else {
            "wait for it, or pass a longer --wait"
        }
    }

    /// Removes the lock file of an app that is being destroyed, unless another program holds the lock.
    pub fn retire_lock(&self, app: &AppName) {
        if let Ok(lock) = self.lock_app(app, Duration::ZERO) {
            lock.retire();
        }
    }

    fn try_hold(&self, app: &AppName, path: &Path) -> Result<Option<Held>, Error> {
        let Some(file) = try_lock(path)? else { return Ok(None) };
        let properties = self.config_dir("ps", Scope::App(app));
        let is_left = !signature(path).is_empty();
        let held = |twin| Held { file, path: path.to_owned(), is_left, _twin: twin };
        let Some(twin) = durable::stage_of(self.lib(), &properties)? else { return Ok(Some(held(None))) };
        match rustix::fs::flock(&twin, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
            // A network file system cannot lock directories. There the file is the only lock.
            Err(Errno::BADF | Errno::OPNOTSUPP) => Ok(Some(held(None))),
            Err(errno) => Err(Error::io("lock", &properties, errno)),
            Ok(()) => Ok(Some(held(Some(twin)))),
        }
    }
}

impl AppLock {
    /// The variable and its value that tell a called program that the lock is held for it.
    pub fn token(&self) -> (&'static str, OsString) {
        (LOCK_VARIABLE, OsString::from(&self.token))
    }

    /// Whether the caller of this process holds the lock, and not this process itself.
    pub fn is_callers(&self) -> bool {
        self.held.is_none()
    }

    /// The lock's descriptor, if this process holds it: a child that inherits it holds the lock until it ends.
    pub fn file(&self) -> Option<&File> {
        self.held.as_ref().map(|held| &held.file)
    }

    /// Whether its last holder was killed, so that hooks that it called may still run (see [`AppLock::orphans`]).
    pub fn was_left_by_the_dead(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.is_left)
    }

    /// Why the record of a killed deploy (see [`World::record_deploy`]) could not be finished now.
    pub fn unfinished(&self) -> Option<&Error> {
        self.unfinished.as_ref()
    }

    /// Releases the lock and removes its file, because the app is gone.
    pub fn retire(self) {
        if let Some(Held { path, .. }) = &self.held {
            // A program that waits for this file sees that it is no longer the one at its path, and tries again.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for AppLock {
    fn drop(&mut self) {
        if let Some(Held { file, .. }) = &self.held {
            // The text is removed first, so that no program reads the name of a holder that is done.
            let _ = file.set_len(0);
        }
    }
}

/// The token that the caller of this process has given it, if the caller holds this lock.
fn callers_token(path: &Path, app: &AppName) -> Option<String> {
    env::var(LOCK_VARIABLE).ok().filter(|token| is_held_by(path, app, token))
}

fn token_of(app: &AppName) -> String {
    let pid = std::process::id();
    format!("{app} {pid} {}", start_time(pid).unwrap_or_default())
}

/// The locked file, if the lock was free. A file that was removed from its path meanwhile does not count: another program may
/// have made and locked a new one.
fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let fail = |errno: Errno| Error::io("lock", path, errno);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)) {
        // A disk that the kernel has made read-only must not prevent stopping an app. The file of an earlier holder can be locked
        // without writing to it.
        Err(Errno::ROFS) => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map_err(|_| fail(Errno::ROFS))?
        }
        opened => opened.map_err(fail)?,
    };
    let file = File::from(file);
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => (),
        Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
        Err(errno) => return Err(fail(errno)),
    }
    let ours = file.metadata().map_err(|error| Error::io("lock", path, error))?;
    let is_current = fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino()));
    Ok(is_current.then_some(file))
}

/// Writes the holder into a lock file that we hold: `<app> <pid> <start time> <command>`.
fn sign(mut file: &File, path: &Path, app: &AppName) -> Result<String, Error> {
    let token = token_of(app);
    if !can_be_signed(file) {
        return Ok(token);
    }
    let command: Vec<_> = env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!("{token} {}\n", command.join(" ").chars().take(200).collect::<String>());
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(line.as_bytes())).and_then(
            |()| match Access::like(path.parent().unwrap_or(path), 0o600).owner {
                Some((uid, gid)) => std::os::unix::fs::fchown(file, Some(uid), Some(gid)),
                None => Ok(()),
            },
        );
    match written {
        // A full disk must not prevent stopping an app, so the lock is held all the same. But nobody can read who holds it,
        // and programs that we call cannot be told that we do.
        Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Err(Error::io("sign", path, error))
        }
        _ => Ok(token),
    }
}

/// Whether it was opened for writing, which a read-only file system does not allow.
fn can_be_signed(file: &File) -> bool {
    rustix::fs::fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

fn is_held_by(path: &Path, app: &AppName, token: &str) -> bool {
    let words: Vec<&str> = token.split(' ').collect();
    let [named, pid, started] = words[..] else { return false };
    let is_alive = pid.parse().ok().and_then(start_time).is_some_and(|now| now.to_string() == started);
    named == app.as_str() && is_alive && signature(path).starts_with(&format!("{token} "))
}

fn holder(path: &Path) -> String {
    let signature = signature(path);
    match signature.splitn(4, ' ').collect::<Vec<_>>()[..] {
        [_, pid, started, command] => {
            let command = command.trim_end();
            let is_alive =
                pid.parse().ok().and_then(start_time).is_some_and(|now| now.to_string() == started);
            match inheritor(path).filter(|_| !is_alive) {
                Some(heir) => format!("{heir}, which pid {pid} ({command}) left behind when it was killed"),
                None => format!("pid {pid} ({command})"),
            }
        }
        _ => inheritor(path).unwrap_or_else(|| "another process".to_owned()),
    }
}

/// Pid and command of a process, other than this one, that has the lock's file open: its holder started it and has died.
fn inheritor(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let has_it = |pid: &u32| *pid != std::process::id() && os_process::has_open(*pid, &path);
    let pid = os_process::pids().find(has_it)?;
    Some(format!("pid {pid} ({})", os_process::name(pid)))
}

fn signature(path: &Path) -> String {
    let read = durable::state(path, 4096).unwrap_or_default();
    String::from_utf8(read).unwrap_or_default()
}
