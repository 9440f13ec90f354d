//! Starts a process of the program: with its end of the channel as a descriptor, with no signal blocked, and in a
//! process group of its own, so that Ctrl-C reaches only ps-node.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use node_primary::Id;

use crate::{notify, preload};

/// The variable that holds the number of a process, from 0 on.
pub(crate) const NUMBER: &str = "NODE_APP_INSTANCE";
/// The descriptor of a worker's channel. Node closes it on exec.
const CHANNEL: i32 = 3;

/// What a process is to whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A worker of a cluster, which asks for its ports.
    Worker,
    /// A child that only exchanges messages.
    Child,
}

/// What each process gets.
#[derive(Debug)]
pub(crate) struct Program {
    words: Vec<CString>,
    /// `NODE_OPTIONS`, if it differs from that of this process.
    options: Option<OsString>,
    role: Role,
}

impl Program {
    /// # Errors
    /// A word has a NUL byte.
    pub(crate) fn new(words: &[OsString], options: Option<OsString>, role: Role) -> io::Result<Self> {
        let words = words.iter().map(|word| text(word)).collect::<io::Result<_>>()?;
        Ok(Self { words, options, role })
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> String {
        self.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Starts a process. Returns its pid. Without a place the process gets the number in the environment.
    ///
    /// # Errors
    /// The program does not exist, or the system refuses to start it.
    pub(crate) fn start(
        &self,
        id: Id,
        place: Option<usize>,
        channel: &OwnedFd,
    ) -> io::Result<rustix::process::Pid> {
        // If the channel had the descriptor number that the process expects, dup2 would do nothing and it would be closed on
        // exec. So it gets a higher number first.
        let channel = rustix::io::fcntl_dupfd_cloexec(channel, CHANNEL + 1)?;
        let nothing = File::open("/dev/null")?;
        let mut actions = PosixSpawnFileActions::init()?;
        actions.add_dup2(nothing.as_raw_fd(), 0)?;
        actions.add_dup2(channel.as_raw_fd(), CHANNEL)?;
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_sigmask(&SigSet::empty())?;
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP,
        )?;
        let first = self.words.first().ok_or(io::ErrorKind::InvalidInput)?;
        let pid = posix_spawnp(first, &actions, &attributes, &self.words, &self.variables(id, place)?)?;
        rustix::process::Pid::from_raw(pid.as_raw()).ok_or_else(|| io::ErrorKind::Other.into())
    }

    fn variables(&self, id: Id, place: Option<usize>) -> io::Result<Vec<CString>> {
        let mut given: Vec<(&str, OsString)> = Vec::new();
        let variables = match self.role {
            Role::Worker => node_primary::environment(id, CHANNEL).to_vec(),
            Role::Child => node_primary::environment_of_child(CHANNEL).to_vec(),
        };
        given.extend(variables.into_iter().map(|(name, value)| (name, value.into())));
        given.extend(place.map(|place| (NUMBER, place.to_string().into())));
        given.extend(self.options.clone().map(|options| (preload::VARIABLE, options)));
        let is_given = |name: &OsStr| given.iter().any(|(given, _)| name == *given);
        let inherited = std::env::vars_os().filter(|(name, _)| !is_given(name) && name != notify::SOCKET);
        let ours = given.iter().map(|(name, value)| (OsString::from(name), value.clone()));
        let variable = |(mut variable, value): (OsString, OsString)| {
            variable.push("=");
            variable.push(value);
            text(&variable)
        };
        inherited.chain(ours).map(variable).collect()
    }
}

fn text(word: &OsStr) -> io::Result<CString> {
    Ok(CString::new(word.as_bytes())?)
}
