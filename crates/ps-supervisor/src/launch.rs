//! The step between fork and exec, for processes that cannot be started directly ([`crate::start`]). Our own program is
//! started, joins the cgroup of the instance, applies the limit of open files, the user and the other settings of its type,
//! and executes the command. A shell could take these steps too, but drops variables with names that a shell cannot have,
//! and our own code between fork and exec would need `unsafe`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::confinement::Confinement;
use crate::entry::Entry;
use crate::{passed, signals};

/// The name (`argv[0]`) under which the program launches a command. `ps` shows it for a millisecond.
const NAME: &str = "ps-supervise-launch";
/// Our own executable, even if its file was renamed or removed.
const SELF: &str = "/proc/self/exe";
/// The word that says that there are listening sockets for the command.
const SOCKETS: &str = "sockets";
const OURS: &str = "ps-supervise";
/// Linux looks at this much of a script's first line.
const LONGEST_FIRST_LINE: u64 = 256;

/// A command to execute.
#[derive(Debug)]
pub struct Launch {
    joining: Vec<PathBuf>,
    open_files: Option<u64>,
    confinement: OsString,
    /// Whether it has listening sockets that are for the command.
    has_sockets: bool,
    /// The command's `argv[0]`, where that differs from its program.
    called: OsString,
    words: Vec<OsString>,
}

/// Why a command was not started.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The cgroup cannot be entered: exit status 126.
    #[error("enter {}: {reason}", file.display())]
    Join {
        /// Its file.
        file: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A user or a limit cannot be taken on: exit status 126.
    #[error("{action}: {reason}")]
    Confine {
        /// What was to be done.
        action: String,
        /// What the system said.
        reason: io::Error,
    },
    /// No such program: exit status 127.
    #[error("{}: not found", program.display())]
    NotFound {
        /// Its name.
        program: OsString,
    },
    /// The program is there, and what its first line names as its interpreter is not: exit status 127.
    #[error("{}: its interpreter is not there: {interpreter}", program.display())]
    NoInterpreter {
        /// Its name.
        program: OsString,
        /// The interpreter that the line names; characters that are not visible, such as `\r`, are escaped.
        interpreter: String,
    },
    /// The system refused to run it: exit status 126.
    #[error("run {}: {reason}", program.display())]
    Refused {
        /// Its name.
        program: OsString,
        /// What the system said.
        reason: io::Error,
    },
}

impl Failed {
    /// The exit status that a shell has for it.
    pub fn status(&self) -> u8 {
        match self {
            Self::NotFound { .. } | Self::NoInterpreter { .. } => 127,
            Self::Join { .. } | Self::Confine { .. } | Self::Refused { .. } => 126,
        }
    }
}

impl Launch {
    /// The command that this process was started to execute, if its arguments say so.
    pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let joining = arguments.next().filter(|name| name == NAME).and_then(|_| arguments.next())?;
        let files = joining.as_bytes().split(|byte| *byte == b'\n').filter(|file| !file.is_empty());
        let joining = files.map(|file| OsStr::from_bytes(file).into()).collect();
        let open_files = arguments.next()?.to_str()?.parse().ok();
        let confinement = arguments.next()?;
        let has_sockets = arguments.next()? == SOCKETS;
        let called = arguments.next()?;
        let words: Vec<OsString> = arguments.collect();
        (!words.is_empty()).then_some(Self { joining, open_files, confinement, has_sockets, called, words })
    }

    /// Executes the command; returns only on failure.
    pub fn exec(self) -> Failed {
        signals::unblock();
        for file in self.joining {
            if let Err(reason) = join(&file) {
                return Failed::Join { file, reason };
            }
        }
        if let Some(files) = self.open_files {
            let before = getrlimit(Resource::Nofile);
            // If this fails, the command has a higher limit than intended.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..before });
        }
        if let Err((action, reason)) = enter(&self.confinement) {
            return Failed::Confine { action, reason };
        }
        let program = self.words[0].clone();
        let called = if self.called.is_empty() { &program } else { &self.called };
        let mut command = Command::new(&program);
        command.arg0(called).args(&self.words[1..]);
        if self.has_sockets {
            command.env(passed::PID, std::process::id().to_string());
        }
        let reason = command.exec();
        Failed::of(program, reason, Path::new("."))
    }
}

/// Joins a cgroup by its file `cgroup.procs`, or a namespace by its file in /proc. The namespace of mounts takes the working directory away,
/// which is looked for by its path there.
fn join(file: &Path) -> io::Result<()> {
    if !is_namespace(file) {
        return std::fs::write(file, "0");
    }
    let here = std::env::current_dir()?;
    nix::sched::setns(std::fs::File::open(file)?, nix::sched::CloneFlags::empty())?;
    std::env::set_current_dir(here)
}

fn is_namespace(file: &Path) -> bool {
    file.starts_with("/proc") && file.parent().is_some_and(|parent| parent.ends_with("ns"))
}

/// The files of the namespaces because of which a process sees the file system differently from us: its mount namespace and, if it is not
/// ours, its user namespace, without which only root may join the mount namespace.
pub(crate) fn namespaces_of(pid: u32) -> Vec<PathBuf> {
    let place = |name: &str| PathBuf::from(format!("/proc/{pid}/ns/{name}"));
    let is_ours = |name: &str| {
        let own = std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
        own.is_some() && own == std::fs::read_link(place(name)).ok()
    };
    ["user", "mnt"].into_iter().filter(|name| !is_ours(name)).map(place).collect()
}

fn enter(confinement: &OsStr) -> Result<(), (String, io::Error)> {
    let read = Confinement::read(&confinement.to_string_lossy());
    let read = read.map_err(|error| ("read what is set".to_owned(), error.into()))?;
    read.map_or(Ok(()), |confinement| confinement.enter())
}

impl Failed {
    /// The reason why a program could not be executed in `directory`, from the error of the system.
    pub fn of(program: OsString, reason: io::Error, directory: &Path) -> Self {
        match (reason.kind(), missing_interpreter(directory, &program)) {
            (io::ErrorKind::NotFound, Some(interpreter)) => Self::NoInterpreter { program, interpreter },
            (io::ErrorKind::NotFound, None) => Self::NotFound { program },
            _ => Self::Refused { program, reason },
        }
    }
}

/// The interpreter that a script's first line names, if it does not exist. Linux reports a missing interpreter with the
/// same error as a missing script. A common case is `/bin/sh\r`, from a file saved with the line ends of Windows. `None`
/// for a program that is searched in `PATH`.
pub fn missing_interpreter(directory: &Path, program: &OsStr) -> Option<String> {
    if !program.as_bytes().contains(&b'/') {
        return None;
    }
    let mut line = Vec::new();
    // exec has failed already, so this is no FIFO that could block.
    let file = std::fs::File::open(directory.join(program)).ok()?;
    file.take(LONGEST_FIRST_LINE).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let interpreter = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())?;
    let is_missing = !directory.join(OsStr::from_bytes(interpreter)).exists();
    is_missing.then(|| interpreter.escape_ascii().to_string())
}

/// The program that can launch, if this process is a `ps-supervise`; another program that uses this library cannot.
pub(crate) fn program() -> Option<PathBuf> {
    let own = std::fs::read_link(SELF).ok()?;
    own.file_name()?.to_string_lossy().starts_with(OURS).then(|| SELF.into())
}

/// The words, its own name first, with which `program` launches what this command of it does.
pub(crate) fn words(command: &Command) -> Vec<OsString> {
    std::iter::once(OsStr::new(NAME)).chain(command.get_args()).map(OsStr::to_owned).collect()
}

/// The command that makes `program` launch `words`. The first word is the program, and also its `argv[0]` unless `called`
/// gives another one.
pub(crate) fn command(program: &Path, entry: Entry<'_>, called: Option<&str>, words: &[OsString]) -> Command {
    let mut command = Command::new(program);
    let open_files = entry.open_files.map(|files| files.to_string()).unwrap_or_default();
    let confinement = entry.confinement.map(Confinement::word).unwrap_or_default();
    // The kernel writes a line feed in a path of its table of mounts as an escape: none is in these.
    let joining: Vec<&OsStr> = entry.joining.iter().map(|file| file.as_os_str()).collect();
    command.arg0(NAME).arg(joining.join(OsStr::new("\n")));
    let sockets = if entry.has_sockets { SOCKETS } else { "" };
    command.arg(open_files).arg(confinement).arg(sockets).arg(called.unwrap_or_default()).args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_that_name_was_asked() {
        let asked =
            |words: &[&str]| Launch::asked(words.iter().map(OsString::from)).map(|launch| launch.words.len());
        assert_eq!(asked(&[NAME, "/g", "1024", "", "", "", "a", "b"]), Some(2));
        assert_eq!(asked(&[NAME, "", "", "", "sockets", "", "a"]), Some(1));
        assert_eq!(asked(&[NAME, "/g\n/h", "", "", "", "", "a"]), Some(1));
        for other in [
            &[NAME, "/g", "", "", "", ""][..],
            &[NAME, "/g"],
            &[NAME],
            &[],
            &["ps-supervise", "/g", "", "", "", "", "a"],
        ] {
            assert_eq!(asked(other), None, "{other:?}");
        }
    }
}
