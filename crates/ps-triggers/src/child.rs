//! One child process: it is started with the stdio it is given and waited for. If it has a deadline and misses it, its whole
//! process group is ended.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

/// From SIGTERM to SIGKILL for a hook whose time is over.
const GRACE: Duration = Duration::from_millis(500);

/// How often a hook that cannot be executed because its file is open for writing (ETXTBSY) is tried again. A process that
/// writes the hook has it open, and so has one that was forked meanwhile, until it executes something.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// What is run, and with what.
pub(crate) struct Order<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Variables added to our own environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// When it must have ended.
    pub(crate) deadline: Option<Instant>,
}

/// stdin, stdout and stderr, in that order.
pub(crate) type Stdios = [Stdio; 3];

/// Runs a child to its end; `None` if it was stopped because its time was over. `stdios` is asked once for each
/// attempt: a script without a `#!` line needs a second one, by a shell.
pub(crate) fn run(
    order: &Order<'_>,
    stdios: &dyn Fn() -> io::Result<Stdios>,
) -> io::Result<Option<ExitStatus>> {
    let mut child = start(order, stdios)?;
    match order.deadline {
        None => child.wait().map(Some),
        Some(deadline) => wait_until(&mut child, deadline),
    }
}

fn start(order: &Order<'_>, stdios: &dyn Fn() -> io::Result<Stdios>) -> io::Result<Child> {
    let mut tries = 0;
    loop {
        match spawn(order.program, &order.arguments, order, stdios()?) {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                thread::sleep(BUSY_PAUSE);
            }
            Err(error) if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
                let mut arguments = vec![order.program.as_os_str().to_owned()];
                arguments.extend(order.arguments.iter().cloned());
                return spawn(shell(), &arguments, order, stdios()?);
            }
            spawned => return spawned,
        }
    }
}

/// The status that a shell would report.
pub(crate) fn shell_status(status: ExitStatus) -> u8 {
    let number = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(number).unwrap_or(1)
}

fn spawn(
    program: impl AsRef<OsStr>,
    arguments: &[OsString],
    order: &Order<'_>,
    [stdin, stdout, stderr]: Stdios,
) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(stdin).stdout(stdout).stderr(stderr);
    command.envs(order.environment.iter().map(|(name, value)| (name, value)));
    if order.deadline.is_some() {
        command.process_group(0);
    }
    command.spawn()
}

/// The shell for a script without a `#!` line. plugn is a bash script, and bash runs such a script itself.
fn shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return child.wait().map(Some);
    };
    if ends_by(pid, deadline)? {
        return child.wait().map(Some);
    }
    // A group that is gone by now has ended, which is what is wanted.
    let _ = rustix::process::kill_process_group(pid, Signal::TERM);
    ends_by(pid, Instant::now() + GRACE)?;
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    child.wait()?;
    Ok(None)
}

/// Whether a child of ours ends before the deadline, as far as can be told. It is not reaped.
pub(crate) fn has_ended_by(child: &Child, deadline: Instant) -> bool {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| ends_by(pid, deadline).unwrap_or(false))
}

/// Whether our child ends before the deadline. It is not reaped.
fn ends_by(pid: Pid, deadline: Instant) -> io::Result<bool> {
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => (),
            Err(errno) => return Err(errno.into()),
        }
    }
}
