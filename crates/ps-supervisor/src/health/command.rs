//! A check that runs a command: a child with the variables and the directory of the run, in a cgroup and a process group of
//! its own, so that the command can be killed without touching the run.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use env_files::Environment;
use formation::Exit;
use os_process::{Census, Cgroup, CgroupRoot, Tree, tagged};
use ps_probe::Standing;
use rustix::pipe::PipeFlags;

use crate::command::Invocation;
use crate::confinement::Confinement;
use crate::entry::Entry;
use crate::launch;
use crate::marks::MARKER;
use crate::run_name::RunName;

/// How much of the command's output is kept for messages, in bytes.
const SHOWN: usize = 200;
/// How many bytes are read at a time, and how many times in a row.
const PIECE: usize = 4096;
const PIECES: usize = 16;
/// After how long a SIGKILL is sent again while something of the group lives.
const KILL_AGAIN: Duration = Duration::from_millis(100);
/// The name of the checks' group is the name of the run with this suffix.
const SUFFIX: &str = ".check";

/// What it takes to start the commands of one run.
pub(crate) struct Runner<'a> {
    pub(crate) service: &'a Path,
    pub(crate) cgroups: Option<&'a CgroupRoot>,
    pub(crate) open_files: Option<u64>,
    pub(crate) run: RunName,
    /// The directory and the variables; the error says why they are not known.
    pub(crate) surroundings: Result<&'a Surroundings, String>,
    pub(crate) killer: Killer<'a>,
}

/// What it takes to kill a command with everything that it started.
pub(crate) struct Killer<'a> {
    pub(crate) census: &'a mut Census,
    /// The groups that were killed and may not be empty yet.
    pub(crate) ending: &'a mut Vec<Ending>,
}

/// The directory, the variables and the user that the run was started with.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) directory: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) confinement: Option<Confinement>,
}

/// A killed group of a check that may not be empty yet.
#[derive(Debug)]
pub(crate) struct Ending {
    tree: Tree,
    main: Option<u32>,
    again: Instant,
}

/// A check command that was started and not decided yet.
#[derive(Debug)]
pub(crate) struct CommandTry {
    tree: Tree,
    pid: u32,
    course: Course,
    /// The reading end of its output; `None` if the output is not read.
    output: Option<OwnedFd>,
    said: Vec<u8>,
    has_more: bool,
    timeout: Duration,
    deadline: Instant,
}

/// Whether a command still runs.
#[derive(Clone, Copy, Debug)]
enum Course {
    Runs,
    /// It has exited; `None` if its exit status is unknown.
    Ended(Option<Exit>),
}

/// The process tree of the checks of the run with that name.
fn tree(service: &Path, cgroups: Option<&CgroupRoot>, name: &str) -> Tree {
    let marker = service.join(name).to_string_lossy().into_owned();
    Tree::new(cgroups.map(|root| root.group(name)), marker, true)
}

/// Whether that is the name of a group of checks, and not of a run.
pub(crate) fn is_check(name: &str) -> bool {
    name.rsplit_once(SUFFIX).is_some_and(|(run, index)| {
        run.parse::<RunName>().is_ok() && index.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl Ending {
    /// The checks that an earlier supervisor left running.
    pub(crate) fn left(service: &Path, cgroups: Option<&CgroupRoot>, name: &str) -> Self {
        Self { tree: tree(service, cgroups, name), main: None, again: Instant::now() }
    }

    /// Sends SIGKILL again if it is time; whether anything of the group is left.
    pub(crate) fn is_left(&mut self, now: Instant, census: &mut Census) -> bool {
        if self.again > now {
            return true;
        }
        self.again = now + KILL_AGAIN;
        self.tree.kill(self.main.take(), census);
        if !self.tree.is_empty(None, census) {
            return true;
        }
        self.tree.release();
        false
    }

    /// When the group is looked at again.
    pub(crate) fn due(&self) -> Instant {
        self.again
    }
}

impl CommandTry {
    /// Starts a command and reads its output. `index` is the number of the check among those of its run. An error says why
    /// the command could not be started.
    pub(crate) fn begin(
        words: &[String],
        index: usize,
        timeout: Duration,
        runner: &Runner<'_>,
        now: Instant,
    ) -> Result<Self, String> {
        let (read, write) = pipe().map_err(|error| error.to_string())?;
        Ok(Self { output: Some(read), ..Self::start(words, index, timeout, runner, (now, Some(write)))? })
    }

    /// Starts a command whose output is discarded.
    pub(crate) fn begin_unheard(
        words: &[String],
        index: usize,
        timeout: Duration,
        runner: &Runner<'_>,
        now: Instant,
    ) -> Result<Self, String> {
        Self::start(words, index, timeout, runner, (now, None))
    }

    fn start(
        words: &[String],
        index: usize,
        timeout: Duration,
        runner: &Runner<'_>,
        (now, output): (Instant, Option<OwnedFd>),
    ) -> Result<Self, String> {
        let surroundings = runner.surroundings.clone()?;
        let tree = tree(runner.service, runner.cgroups, &format!("{}{SUFFIX}{index}", runner.run));
        if let Some(cgroup) = tree.cgroup() {
            cgroup.make().map_err(|error| format!("make its cgroup: {error}"))?;
        }
        let pid = spawn(words, &tree, surroundings, runner.open_files, output).map_err(|error| {
            tree.release();
            format!("{}: {error}", words.first().map_or("", String::as_str))
        })?;
        let deadline = now.checked_add(timeout).unwrap_or(now);
        let said = Vec::new();
        Ok(Self { tree, pid, course: Course::Runs, output: None, said, has_more: false, timeout, deadline })
    }

    /// The reading end of its output.
    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// A child has exited; whether it was this command.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        let is_it = self.is_running() && self.pid == pid;
        if is_it {
            self.course = Course::Ended(exit);
        }
        is_it
    }

    /// Whether the command has come to a result. Once it has, everything that it started is killed.
    pub(crate) fn look(&mut self, killer: &mut Killer<'_>, now: Instant) -> Standing {
        self.read();
        let standing = match self.course {
            Course::Ended(Some(exit)) if exit.is_success() => Standing::Holds,
            Course::Ended(exit) => {
                let how = exit
                    .map_or_else(|| "it ended with an unknown status".to_owned(), |exit| exit.to_string());
                Standing::DoesNotHold(how + &self.shown())
            }
            Course::Runs if now >= self.deadline => {
                let seconds = self.timeout.as_secs_f64();
                Standing::DoesNotHold(format!("it did not end within {seconds} s{}", self.shown()))
            }
            Course::Runs => return Standing::Pending,
        };
        self.kill(killer);
        standing
    }

    /// Kills it without waiting for a result.
    pub(crate) fn kill(&self, killer: &mut Killer<'_>) {
        let main = self.is_running().then_some(self.pid);
        let mut ending = Ending { tree: self.tree.clone(), main, again: Instant::now() };
        if ending.is_left(Instant::now(), killer.census) {
            killer.ending.push(ending);
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.course, Course::Runs)
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        if self.has_more { now } else { self.deadline }
    }

    /// Reads the output, so that the command never blocks on a full pipe. Only the beginning is kept.
    fn read(&mut self) {
        let Some(output) = &self.output else { return };
        let mut piece = [0; PIECE];
        self.has_more = true;
        for _ in 0..PIECES {
            match rustix::io::read(output, &mut piece) {
                Ok(count) if count > 0 => {
                    let room = SHOWN.saturating_sub(self.said.len());
                    self.said.extend(&piece[..count.min(room)]);
                }
                Ok(_) | Err(_) => {
                    self.has_more = false;
                    return;
                }
            }
        }
    }

    /// What it said, if it ended with status 1, which means no.
    pub(crate) fn answer(&self) -> Option<String> {
        let Course::Ended(Some(exit)) = self.course else { return None };
        Some(self.line()).filter(|line| exit == Exit::Code(1) && !line.is_empty())
    }

    fn shown(&self) -> String {
        let line = self.line();
        if line.is_empty() { line } else { format!(": {line}") }
    }

    /// The beginning of what it said, as one line.
    fn line(&self) -> String {
        let said = String::from_utf8_lossy(&self.said);
        said.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// A pipe whose reading end is nonblocking.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read, write))
}

/// Starts a command and returns its pid.
fn spawn(
    words: &[String],
    tree: &Tree,
    surroundings: &Surroundings,
    open_files: Option<u64>,
    output: Option<OwnedFd>,
) -> io::Result<u32> {
    let joining: Vec<PathBuf> = tree.cgroup().map(Cgroup::joining_file).into_iter().collect();
    let words: Vec<OsString> = words.iter().map(Into::into).collect();
    let confinement = surroundings.confinement.as_ref();
    let entry = Entry { joining: &joining, open_files, confinement, has_sockets: false };
    let mut command = Invocation::Words(words).command(entry, launch::program().as_deref())?;
    command.env_clear().envs(surroundings.environment.iter()).env(MARKER, OsStr::new(tree.marker()));
    command.current_dir(&surroundings.directory).process_group(0).stdin(Stdio::null());
    match output {
        Some(output) => command.stdout(output.try_clone()?).stderr(output),
        None => command.stdout(Stdio::null()).stderr(Stdio::null()),
    };
    tagged(tree.tag(), || command.spawn()).map(|child| child.id())
}
