//! Starts a process as the standard library does, but with no signal blocked in it, although some are blocked in the
//! supervisor ([`crate::signals::shield`]). The supervisor does not unblock them for the moment of the fork, as it does
//! with other inherited state: a signal that had arrived meanwhile would end it.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use env_files::Environment;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::marks::MARKER;

/// The number of the first descriptor that a process is given beside stdin, stdout and stderr (sd_listen_fds(3)).
const FIRST: i32 = 3;

/// What a process is to be.
#[derive(Debug)]
pub(crate) struct Spawn<'a> {
    /// Its file.
    pub(crate) program: &'a Path,
    /// Its words, its own name first.
    pub(crate) words: &'a [OsString],
    /// Its variables.
    pub(crate) environment: &'a Environment,
    /// The value of the variable that marks it.
    pub(crate) marker: &'a str,
    /// Where it begins.
    pub(crate) directory: &'a Path,
    /// Its stdin, stdout and stderr; `None`: ours.
    pub(crate) streams: [Option<OwnedFd>; 3],
    /// What it is given as descriptors from [`FIRST`] on. Their numbers here are beyond those that they get.
    pub(crate) passed: Vec<OwnedFd>,
    /// Whether it leads a process group.
    pub(crate) leads: bool,
}

impl Spawn<'_> {
    /// Starts it; its pid.
    ///
    /// # Errors
    /// Nothing was started.
    #[inline(never)]
    pub(crate) fn start(&self) -> io::Result<u32> {
        let words: Vec<CString> = self.words.iter().map(|word| text(word)).collect::<io::Result<_>>()?;
        let marked = (OsStr::new(MARKER), OsStr::new(self.marker));
        let variables = self.environment.iter().filter(|(name, _)| *name != MARKER).chain([marked]);
        let variable = |(name, value): (&OsStr, &OsStr)| {
            let mut entry = name.to_owned();
            entry.push("=");
            entry.push(value);
            text(&entry)
        };
        let variables: Vec<CString> = variables.map(variable).collect::<io::Result<_>>()?;
        let (actions, attributes) = (self.actions()?, self.attributes()?);
        let start = || posix_spawn(self.program, &actions, &attributes, &words, &variables);
        let pid = within(self.directory, start)??;
        Ok(pid.as_raw().unsigned_abs())
    }

    fn actions(&self) -> io::Result<PosixSpawnFileActions> {
        let mut actions = PosixSpawnFileActions::init()?;
        for (number, stream) in (0..).zip(&self.streams) {
            if let Some(stream) = stream {
                actions.add_dup2(stream.as_raw_fd(), number)?;
            }
        }
        for (number, socket) in (FIRST..).zip(&self.passed) {
            actions.add_dup2(socket.as_raw_fd(), number)?;
        }
        Ok(actions)
    }

    fn attributes(&self) -> io::Result<PosixSpawnAttr> {
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_sigmask(&SigSet::empty())?;
        // Programs in Rust ignore it, as nothing else does.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        let mut flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
        if self.leads {
            attributes.set_pgroup(Pid::from_raw(0))?;
            flags |= PosixSpawnFlags::POSIX_SPAWN_SETPGROUP;
        }
        attributes.set_flags(flags)?;
        Ok(attributes)
    }
}

/// Copies of these sockets with numbers that no [`Spawn`] gives to anything, so that none is replaced before it is copied.
///
/// # Errors
/// No descriptor is left.
pub(crate) fn beyond<'a>(sockets: impl ExactSizeIterator<Item = &'a OwnedFd>) -> io::Result<Vec<OwnedFd>> {
    let first = FIRST + i32::try_from(sockets.len()).unwrap_or(i32::MAX - FIRST);
    sockets.map(|socket| Ok(rustix::io::fcntl_dupfd_cloexec(socket, first)?)).collect()
}

/// Runs `start` in a directory.
pub(crate) fn within<T>(directory: &Path, start: impl FnOnce() -> T) -> io::Result<T> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let before = openat(CWD, ".", flags, Mode::empty())?;
    rustix::process::chdir(directory)?;
    let started = start();
    // This cannot fail: the directory is open, so it exists even if it was removed.
    let _ = rustix::process::fchdir(before);
    Ok(started)
}

fn text(word: &OsStr) -> io::Result<CString> {
    Ok(CString::new(word.as_bytes())?)
}
