//! Runs one child process: starts it with the given stdio and waits for it. If it has not ended by its deadline, its
//! whole process group is ended.

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

/// The time between SIGTERM and SIGKILL for a hook that has missed its deadline.
const GRACE: Duration = Duration::from_millis(500);

/// How often a hook is tried again that cannot be executed because its file is open for writing (ETXTBSY). The file
/// is open in the process that writes it, and also in each process that was forked meanwhile, until that one executes
/// a program.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// A program to run, with its arguments and its environment.
pub(crate) struct Order<'a> {
    /// The path of the program.
    pub(crate) program: &'a Path,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Variables that are added to our own environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// The time by which it must have ended.
    pub(crate) deadline: Option<Instant>,
}

/// stdin, stdout and stderr, in this order.
pub(crate) type Stdios = [Stdio; 3];

/// Runs a child to its end; `None` if it was ended because of its deadline. `stdios` is called once for each attempt:
/// a script without a `#!` line needs a second attempt, with a shell.
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

/// The exit status as a shell would report it.
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

/// The shell that runs a script without a `#!` line. plugn is a bash script, and bash runs such a script itself, so
/// the result is the same.
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
    // If the process group no longer exists, it has ended, which is what is wanted.
    let _ = rustix::process::kill_process_group(pid, Signal::TERM);
    ends_by(pid, Instant::now() + GRACE)?;
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    child.wait()?;
    Ok(None)
}

/// Whether our child ends before the deadline, as far as that can be determined. It is not reaped.
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
