//! Dokku's own lock of a deploy, `data/apps/<app>/.deploy.lock`: an flock on a file that contains the id of the build
//! that holds the lock (docs/dokku.md#one-change-at-a-time). A deploy by git holds it. `apps:lock` creates the file,
//! empty and unlocked, which tells deploys to refuse. A program that takes both locks takes the app's own lock first
//! and this one second, so that two programs never wait for each other.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use durable::{Access, is_at};
use formation::AppName;
use ps_apps::World;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

const NAME: &str = ".deploy.lock";
const LATER: &str = "try again when it has ended";
/// How long a state of the file must last before it is believed. Dokku takes the lock in three steps: it creates or empties
/// the file, locks it, and writes the build's id into it. Between the first step and the second the file is empty and
/// unlocked, which otherwise means `apps:lock`; and if we tried the lock just then, Dokku's own attempt would fail. It gives
/// the lock up in two steps: it unlocks the file, and removes it. Between these two the file looks as if its deploy had died.
const BELIEVED_AFTER: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(10);
/// How often a new empty file is looked at again (3 s in all). A file that still looks new after that time does not
/// belong to a deploy.
const LOOKS: usize = 300;
/// How many bytes of a build's id are read.
const MAX_NAME: u64 = 200;

/// The lock of an app's deploy, held until it is dropped. Either this process holds it, or the deploy that called this process
/// does.
#[derive(Debug, Default)]
pub struct DeployLock {
    /// The id of a build that died and left its lock behind, if one did.
    left_by: Option<String>,
    held: Option<(File, PathBuf)>,
}

/// The state of the lock file.
enum Found {
    Nothing,
    /// An empty file, so new that it may belong to a deploy that has just begun.
    New,
    /// Another process holds the lock. This is the content of the file.
    Held(String),
    /// Nobody held the lock, and this process holds it now. This is the content of the file.
    Free(File, String),
}

/// Takes the lock of an app's deploy without waiting for a holder. [`Error::Deploying`] if another deploy holds it,
/// [`Error::DeployLocked`] after `apps:lock`. If the deploy that called this process holds it (the file has our
/// `DOKKU_BUILD_ID` or `DOKKU_PID`), that counts as held, and dropping the value gives nothing up.
pub fn lock_deploy(world: &World, app: &AppName) -> Result<DeployLock, Error> {
    let directory = world.data_dir("apps", app);
    durable::create_below(world.lib(), &directory)?;
    let path = directory.join(NAME);
    let fail = |error| Error::from(ps_apps::Error::io("lock", &path, error));
    loop {
        let (file, left_by) = match judge(world, app, &path)? {
            Judged::Ours => return Ok(DeployLock { left_by: None, held: None }),
            Judged::Free(file, left_by) => (file, Some(left_by)),
            Judged::Nothing => match create(&path).map_err(|errno| fail(errno.into()))? {
                Some(file) => (file, None),
                None => continue,
            },
        };
        sign(&file, &path).map_err(fail)?;
        return Ok(DeployLock { left_by, held: Some((file, path)) });
    }
}

/// Refuses in the same cases as [`lock_deploy`], but holds nothing afterwards: for a caller that starts a deploy which takes the
/// lock itself.
pub fn refuse_deploying(world: &World, app: &AppName) -> Result<DeployLock, Error> {
    let left_by = match judge(world, app, &world.data_dir("apps", app).join(NAME))? {
        Judged::Free(_, left_by) => Some(left_by),
        Judged::Ours | Judged::Nothing => None,
    };
    Ok(DeployLock { left_by, held: None })
}

/// Adds to a refusal by the app's own lock what a user can do inside Dokku; any other error stays unchanged.
pub fn busy(world: &World, error: ps_apps::Error) -> ps_apps::Error {
    match error {
        ps_apps::Error::Busy { app, holder, .. } if world.inside_dokku() => {
            let way_out = app.parse().map_or_else(|_| LATER.to_owned(), |app| way_out(world, &app));
            ps_apps::Error::Busy { app, holder, way_out }
        }
        other => other,
    }
}

/// What a user can do while another change of this app is under way; the end of a refusal. Dokku's front-end has no
/// `--wait`, but it can cancel a change that it recorded as a build: a deploy by git, a rebuild, a restart.
fn way_out(world: &World, app: &AppName) -> String {
    let build = fs::read_to_string(world.data_dir("apps", app).join(NAME)).unwrap_or_default();
    let record = world.data_dir("builds", app).join(format!("{}.json", build.trim()));
    if record.is_file() { format!("{LATER}, or end it: dokku builds:cancel {app}") } else { LATER.to_owned() }
}

fn judge(world: &World, app: &AppName, path: &Path) -> Result<Judged, Error> {
    let own = own_names();
    for attempt in 0.. {
        match look(path, attempt < LOOKS).map_err(|errno| ps_apps::Error::io("lock", path, errno))? {
            Found::Nothing => return Ok(Judged::Nothing),
            Found::New => thread::sleep(PAUSE),
            Found::Held(name) if own.contains(&name) => return Ok(Judged::Ours),
            Found::Held(name) => {
                let (app, way_out) = (app.to_string(), way_out(world, app));
                return Err(Error::Deploying { app, holder: named(&name), way_out });
            }
            Found::Free(_, name) if name.is_empty() => {
                return Err(Error::DeployLocked { app: app.to_string() });
            }
            Found::Free(file, name) => {
                thread::sleep(BELIEVED_AFTER);
                if is_at(&file, path) {
                    return Ok(Judged::Free(file, name));
                }
            }
        }
    }
    Ok(Judged::Nothing)
}

impl DeployLock {
    /// A remark about a lock that a dead deploy left behind; `None` if there was none.
    pub fn remark(&self, app: &AppName) -> Option<String> {
        let build = self.left_by.as_ref()?.escape_default();
        Some(format!("The deploy lock of {app} was left by deploy {build}, which is gone: going on"))
    }
}

impl Drop for DeployLock {
    fn drop(&mut self) {
        if let Some((file, path)) = &self.held
            && is_at(file, path)
        {
            // The file is removed before it is unlocked. A program of ours that waits for the lock then sees that the
            // path leads to another file or to none, and starts again.
            let _ = fs::remove_file(path);
            // An empty file means that Dokku has just opened it, which empties it, and is about to lock it. We keep
            // our lock through that moment, so that Dokku's attempt fails and Dokku tries again: a lock on a file
            // that is then removed would exclude nobody.
            if content(file).is_empty() {
                thread::sleep(BELIEVED_AFTER);
            }
        }
    }
}

enum Judged {
    Nothing,
    Ours,
    Free(File, String),
}

fn look(path: &Path, spares_new: bool) -> Result<Found, Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT) => return Ok(Found::Nothing),
        Err(errno) => return Err(errno),
    };
    if spares_new && is_new_and_empty(&file) {
        return Ok(Found::New);
    }
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) if is_at(&file, path) => {
            let name = content(&file);
            Ok(Found::Free(file, name))
        }
        // The holder has removed the file that we locked. The file that is at the path now is the one that counts.
        Ok(()) => look(path, spares_new),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(Found::Held(content(&file))),
        Err(errno) => Err(errno),
    }
}

fn is_new_and_empty(file: &File) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
    metadata.len() == 0 && age.is_none_or(|age| age < BELIEVED_AFTER)
}

/// Makes the lock file and locks it; `None` if another process made or locked it first.
fn create(path: &Path) -> Result<Option<File>, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(0o644)) {
        Ok(fd) => File::from(fd),
        Err(Errno::EXIST) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
        locked => locked.map(|()| is_at(&file, path).then_some(file)),
    }
}

fn sign(mut file: &File, path: &Path) -> std::io::Result<()> {
    let name = own_names().into_iter().next().unwrap_or_else(|| std::process::id().to_string());
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{name}\n").as_bytes())?;
    match Access::like(path.parent().unwrap_or(path), 0o644).owner {
        Some((uid, gid)) => std::os::unix::fs::fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

fn content(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut reader = file;
    // A file that cannot be read counts as empty. Messages then call its holder "another deploy".
    let _ = reader.rewind().and_then(|()| reader.take(MAX_NAME).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// The names by which the lock file may name the deploy that called this process. We sign with the first of them.
fn own_names() -> Vec<String> {
    let given = |name| {
        let value = ps_apps::variable(name).map(|value| value.to_string_lossy().into_owned());
        value.filter(|value| !value.trim().is_empty())
    };
    let pid = given("DOKKU_PID");
    let names = [given("DOKKU_BUILD_ID"), pid.clone(), pid.map(|pid| format!("pid-{pid}"))];
    names.into_iter().flatten().collect()
}

fn named(name: &str) -> String {
    if name.is_empty() { "another deploy".to_owned() } else { format!("deploy {}", name.escape_default()) }
}
