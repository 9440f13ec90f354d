//! The process of a one-off, from its start to the end of its tree.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use env_files::Environment;
use formation::{Exit, Slot};
use ps_scheduler::{Ended, Error, Signals, Streams};
use ps_supervisor::{Confinement, Invocation, Task};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use type_settings::TypeSettings;

use super::OneOffs;

/// The main process is examined at least this often.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// The pause between two times that SIGKILL is sent.
const KILL_AGAIN: Duration = Duration::from_secs(1);
/// The exit status of a command that a shell does not find, and of one that it may not execute.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// The parameters of a one-off.
pub(crate) struct Given<'a> {
    pub(crate) name: &'a Slot,
    pub(crate) invocation: Invocation,
    pub(crate) environment: Environment,
    pub(crate) directory: &'a Path,
    pub(crate) settings: TypeSettings,
    /// The process whose view of the file system the one-off shares.
    pub(crate) seen_by: Option<u32>,
    pub(crate) streams: Streams<'a>,
    pub(crate) signals: Signals<'a>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
}

impl OneOffs<'_> {
    /// Runs the one-off to its end.
    pub(crate) fn carry(&self, given: &Given<'_>) -> Result<Ended, Error> {
        let record = self.note(given.name)?;
        let carried = self.carried(given);
        self.forget(given.name);
        drop(record);
        carried
    }

    fn carried(&self, given: &Given<'_>) -> Result<Ended, Error> {
        let failed = |reason: String| Error::CannotStart {
            app: self.service.app.clone(),
            slot: given.name.to_string(),
            reason,
        };
        let mut task = Task::new(&self.directory, given.name);
        task.limit(&given.settings, &self.directory, given.name).map_err(failed)?;
        let confinement = Confinement::of(&self.as_owner(&given.settings));
        let needs_launcher = confinement.is_some() || given.seen_by.is_some();
        let launcher = needs_launcher.then(|| self.service.program()).transpose()?;
        if let Some(pid) = given.seen_by {
            task.sees_as(pid);
        }
        let command = task.command(
            &given.invocation,
            given.environment.iter(),
            confinement.as_ref(),
            launcher.as_deref(),
        );
        let place = given.directory.display();
        let mut command =
            command.map_err(|error| failed(format!("it could not be started in {place}: {error}")))?;
        command.current_dir(given.directory);
        let is_apart = match given.streams {
            Streams::Ours { is_terminal } => !is_terminal,
            Streams::Nobodys { .. } => {
                command.stdin(Stdio::null());
                true
            }
        };
        if is_apart {
            // In a process group of its own it does not get the terminal's signals: we get them, and pass them on. A command with
            // a terminal of its own gets them there.
            command.process_group(0);
        }
        let _terminal = (!is_apart).then(Terminal::keep);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                task.end(Duration::ZERO);
                return not_started(given, &error)
                    .ok_or_else(|| failed(format!("it could not be started in {place}: {error}")));
            }
        };
        if let Streams::Nobodys { tell } = given.streams {
            tell();
        }
        let followed = follow(&mut child, &task, given, is_apart);
        let has_ended = task.end(given.grace);
        match followed {
            Err(error) => Err(failed(format!("it could not be waited for: {error}"))),
            Ok(_) if !has_ended => Err(failed("it left processes running that cannot be ended".to_owned())),
            Ok((_, true)) => Ok(Ended::TimedOut),
            Ok((status, false)) => Ok(Ended::Exit(exit(status))),
        }
    }

    /// Makes a command that root starts for an app of another user run as that user, as the app's instances do, unless
    /// a user is set.
    fn as_owner(&self, settings: &TypeSettings) -> TypeSettings {
        let mut settings = settings.clone();
        let owner = fs::metadata(&self.service.directory).map_or(0, |metadata| metadata.uid());
        if settings.user.is_none() && geteuid().is_root() && owner != 0 {
            settings.user = owner.to_string().parse().ok();
        }
        settings
    }
}

/// The exit status that a shell gives for a program that cannot be executed; `None` if something else failed.
fn not_started(given: &Given<'_>, error: &io::Error) -> Option<Ended> {
    let is_ours = matches!(given.streams, Streams::Ours { .. });
    match error.kind() {
        io::ErrorKind::NotFound if is_ours => Some(Ended::Exit(Exit::Code(NOT_FOUND))),
        io::ErrorKind::PermissionDenied if is_ours => Some(Ended::Exit(Exit::Code(NOT_EXECUTABLE))),
        _ => None,
    }
}

/// Waits for the main process. Returns how it ended, and whether its time was over.
fn follow(
    child: &mut Child,
    task: &Task,
    given: &Given<'_>,
    is_apart: bool,
) -> io::Result<(ExitStatus, bool)> {
    let began = Instant::now();
    let times_out = given.timeout.and_then(|timeout| began.checked_add(timeout));
    let (mut kill_at, mut has_timed_out): (Option<Instant>, bool) = (None, false);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, has_timed_out));
        }
        let next = if has_timed_out { kill_at } else { kill_at.into_iter().chain(times_out).min() };
        wait(given.signals, next);
        for signal in (given.signals.take)() {
            if pass_on(child, signal, is_apart) && asks_to_end(signal) {
                kill_at.get_or_insert(Instant::now() + given.grace);
            }
        }
        let now = Instant::now();
        let main = Some(child.id());
        if kill_at.is_some_and(|at| at <= now) {
            task.kill(main);
            kill_at = Some(now + KILL_AGAIN);
        } else if !has_timed_out && times_out.is_some_and(|at| at <= now) {
            has_timed_out = true;
            task.terminate(main);
            kill_at = Some(now + given.grace);
        }
    }
}

fn wait(signals: Signals<'_>, until: Option<Instant>) {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok()).filter(|left| left.tv_sec < LOOK.tv_sec);
    // The result does not matter: the caller examines everything again.
    let _ = poll(&mut [PollFd::new(&signals.fd, PollFlags::IN)], Some(&left.unwrap_or(LOOK)));
}

/// Passes a signal on to the main process, unless the terminal has sent it to that process as well. Returns whether it was sent.
fn pass_on(child: &Child, signal: i32, is_apart: bool) -> bool {
    let of_terminal = [Signal::INT, Signal::QUIT, Signal::WINCH].map(Signal::as_raw);
    if signal == Signal::CHILD.as_raw() || (!is_apart && of_terminal.contains(&signal)) {
        return false;
    }
    let main = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // The process has not been reaped, so the pid is still its own.
    let sent = main.zip(Signal::from_named_raw(signal)).map(|(pid, signal)| kill_process(pid, signal));
    sent.is_some_and(|sent| sent.is_ok())
}

fn asks_to_end(signal: i32) -> bool {
    [Signal::TERM, Signal::HUP].map(Signal::as_raw).contains(&signal)
}

fn exit(status: ExitStatus) -> Exit {
    status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or(0)), Exit::Code)
}

/// The settings of the terminal, to be restored if a killed program has changed them.
struct Terminal(Option<Termios>);

impl Terminal {
    fn keep() -> Self {
        Self(tcgetattr(io::stdin()).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
