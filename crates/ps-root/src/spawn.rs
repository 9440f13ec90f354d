//! Starts supervisors and roots: their environment, their directory and their logs.

use std::env;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use os_process::{FRUGAL, resident};
use ps_supervisor::NOTHING_LIVES;
use rustix::fs::OFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::holder::HOLD_OUTPUT;
use crate::place::Place;
use crate::words::LastWill;

const LOG_FILE: &str = "supervisor.log";
/// The variables that supervisors and roots get from the environment of this process. Apps get theirs from the spec.
const PASSED_ON: [&str; 5] = ["PATH", "HOME", "LANG", "DOKKU_ROOT", "DOKKU_LIB_ROOT"];

/// The arguments of a supervisor at its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beginning {
    /// The soft limit of open files for the processes of the app, if it differs from that of this process.
    pub open_files: Option<u64>,
    /// Whether no earlier supervisor has left a process, so that the new one need not look for any.
    pub is_clear: bool,
}

/// Starts the supervisor of a service directory.
///
/// # Errors
/// Its log cannot be opened, or the program cannot be executed.
pub fn spawn_supervisor(program: &Path, service: &Path, beginning: &Beginning) -> io::Result<Child> {
    let log = open_log(&service.join(LOG_FILE), service)?;
    let mut command = command(program, log)?;
    command.arg(service);
    if beginning.is_clear {
        command.arg(NOTHING_LIVES);
    }
    if let Some(open_files) =
        beginning.open_files.filter(|soft| getrlimit(Resource::Nofile).current != Some(*soft))
    {
        command.arg("--open-files").arg(open_files.to_string());
    }
    command.spawn()
}

/// Starts a root that exits when no app needs it.
///
/// # Errors
/// As for [`spawn_supervisor`].
pub fn spawn_root(program: &Path, lib: &Path, place: &Place) -> io::Result<Child> {
    // The root makes its own directory, as the owner of the place. Before that there is no log, and messages are lost.
    let log = open_log(&place.log(), place.services())
        .or_else(|_| File::options().write(true).open("/dev/null"))?;
    command(program, log)?.args(["--while-needed", "--root"]).arg(lib).spawn()
}

/// Starts the holder of a place, with its listening socket as its stdin. The root waits for every child that ends, also for
/// this one.
pub(crate) fn spawn_holder(program: &Path, place: &Place, listener: UnixListener) -> io::Result<()> {
    let log = open_log(&place.log(), place.services())?;
    let mut command = command(program, log)?;
    command.arg(HOLD_OUTPUT).arg(place.services()).stdin(OwnedFd::from(listener));
    command.spawn().map(drop)
}

/// Runs the command that a killed program has left with the root. Its output goes to the log of the root.
pub(crate) fn carry_out(will: &LastWill, place: &Place, open_files: Option<u64>) -> io::Result<()> {
    let log = open_log(&place.log(), place.services())?;
    let mut command = command(&will.program, log)?;
    command.args(&will.arguments).envs(&will.variables);
    let raised = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: open_files, ..raised });
    // The root waits for every child that ends.
    let started = command.spawn().map(drop);
    let _ = setrlimit(Resource::Nofile, raised);
    started
}

fn command(program: &Path, log: File) -> io::Result<Command> {
    let passed_on = PASSED_ON.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let mut command = Command::new(resident(program));
    command.arg0(program).env_clear().envs(passed_on).env(FRUGAL.0, FRUGAL.1).current_dir("/");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// Opens a log in a directory that may belong to another user: it does not block on a FIFO in its place, and does not
/// follow a link.
fn open_log(path: &Path, directory: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).unwrap_or(0);
    let log = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let (owner, opened) = (directory.metadata()?, log.metadata()?);
    if opened.uid() != owner.uid() && opened.nlink() == 1 {
        // Only root can change the owner, and only for root can it differ.
        let _ = fchown(&log, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(log)
}
