//! The step between fork and the command, where a process cannot be started at once ([`crate::start`]): our own program is
//! started once more, enters the cgroup of the instance, takes its limit of open files, its user and what else
//! was set for it, and becomes the command. A shell could do
//! so too, but drops variables whose names are none to it; and code of ours between fork and exec would be unsafe.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::confinement::Confinement;
use crate::entry::Entry;

/// What the program is called when it is to launch a command: its name to itself, and to `ps` for a millisecond.
const NAME: &str = "ps-supervise-launch";
/// Our own file, whatever has become of its name.
const SELF: &str = "/proc/self/exe";
const OURS: &str = "ps-supervise";
/// As much of a script as Linux looks at.
const LONGEST_FIRST_LINE: u64 = 256;

/// A command to become.
#[derive(Debug)]
pub struct Launch {
    joining: Option<PathBuf>,
    open_files: Option<u64>,
    confinement: OsString,
    /// What the command is called, where that is not its program.
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
        /// What the line names; what is not seen, such as `\r`, is written as an escape.
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
    /// What this process was started to become, if it was.
    pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let joining = arguments.next().filter(|name| name == NAME).and_then(|_| arguments.next())?;
        let joining = (!joining.is_empty()).then(|| joining.into());
        let open_files = arguments.next()?.to_str()?.parse().ok();
        let (confinement, called) = (arguments.next()?, arguments.next()?);
        let words: Vec<OsString> = arguments.collect();
        (!words.is_empty()).then_some(Self { joining, open_files, confinement, called, words })
    }

    /// Becomes the command; returns only if that failed.
    pub fn exec(self) -> Failed {
        if let Some(file) = self.joining
            && let Err(reason) = std::fs::write(&file, "0")
        {
            return Failed::Join { file, reason };
        }
        if let Some(files) = self.open_files {
            let before = getrlimit(Resource::Nofile);
            // At worst the command has more than it was meant to have.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..before });
        }
        if let Err((action, reason)) = enter(&self.confinement) {
            return Failed::Confine { action, reason };
        }
        let program = self.words[0].clone();
        let called = if self.called.is_empty() { &program } else { &self.called };
        let reason = Command::new(&program).arg0(called).args(&self.words[1..]).exec();
        Failed::of(program, reason, Path::new("."))
    }
}

fn enter(confinement: &OsStr) -> Result<(), (String, io::Error)> {
    let read = Confinement::read(&confinement.to_string_lossy());
    let read = read.map_err(|error| ("read what is set".to_owned(), error.into()))?;
    read.map_or(Ok(()), |confinement| confinement.enter())
}

impl Failed {
    /// Why a program was not started in `directory`, `reason` being what the system said.
    pub fn of(program: OsString, reason: io::Error, directory: &Path) -> Self {
        match (reason.kind(), missing_interpreter(directory, &program)) {
            (io::ErrorKind::NotFound, Some(interpreter)) => Self::NoInterpreter { program, interpreter },
            (io::ErrorKind::NotFound, None) => Self::NotFound { program },
            _ => Self::Refused { program, reason },
        }
    }
}

/// What the first line of a script names as its interpreter, if that is not there: of both the system says that there is
/// no such file. `/bin/sh\r` is one that was saved with the line ends of Windows. A program that is looked for in `PATH` has none.
pub fn missing_interpreter(directory: &Path, program: &OsStr) -> Option<String> {
    if !program.as_bytes().contains(&b'/') {
        return None;
    }
    let mut line = Vec::new();
    // What it is was seen when it was executed: no FIFO hangs here.
    let file = std::fs::File::open(directory.join(program)).ok()?;
    file.take(LONGEST_FIRST_LINE).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let interpreter = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())?;
    let is_missing = !directory.join(OsStr::from_bytes(interpreter)).exists();
    is_missing.then(|| interpreter.escape_ascii().to_string())
}

/// What launches, if this process is a `ps-supervise`: a program that uses this library for a moment is none.
pub(crate) fn program() -> Option<PathBuf> {
    let own = std::fs::read_link(SELF).ok()?;
    own.file_name()?.to_string_lossy().starts_with(OURS).then(|| SELF.into())
}

/// The command that starts `program` to launch `words`, of which the first one is the program's name unless it is `called` otherwise.
pub(crate) fn command(program: &Path, entry: Entry<'_>, called: Option<&str>, words: &[OsString]) -> Command {
    let mut command = Command::new(program);
    let open_files = entry.open_files.map(|files| files.to_string()).unwrap_or_default();
    let confinement = entry.confinement.map(Confinement::word).unwrap_or_default();
    command.arg0(NAME).arg(entry.joining.map_or(OsStr::new(""), Path::as_os_str));
    command.arg(open_files).arg(confinement).arg(called.unwrap_or_default()).args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_that_name_was_asked() {
        let asked =
            |words: &[&str]| Launch::asked(words.iter().map(OsString::from)).map(|launch| launch.words.len());
        assert_eq!(asked(&[NAME, "/g", "1024", "", "", "a", "b"]), Some(2));
        assert_eq!(asked(&[NAME, "", "", "", "", "a"]), Some(1));
        for other in [
            &[NAME, "/g", "", "", ""][..],
            &[NAME, "/g"],
            &[NAME],
            &[],
            &["ps-supervise", "/g", "", "", "", "a"],
        ] {
            assert_eq!(asked(other), None, "{other:?}");
        }
    }
}
