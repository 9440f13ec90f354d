//! The process `ps-balance` of an app: how it is started, found again by the next supervisor, and talked to.
//!
//! It does not end with the supervisor: it continues with its last list, and the next supervisor connects to it.

use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::balance::wire::{Greeting, Listening, Reach, Report, Request, Set, VERSION};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::numbers::Count;
use super::runner::Runner;
use super::table::Table;
use crate::socket;
use crate::spawn::within;

const PROGRAM: &str = "ps-balance";
/// The socket, in the service directory, at which the next supervisor finds it.
pub const SOCKET: &str = "balance";
/// The first descriptor that it is given (sd_listen_fds(3)).
const FIRST: i32 = 3;
/// The longest line that is read, in bytes.
pub(crate) const LONGEST: usize = 1 << 20;
/// The most bytes that may wait to be read by `ps-balance`. With more, it counts as hanging.
const MOST_UNSENT: usize = 1 << 20;
/// How long an earlier one may take to send copies of its sockets.
const PATIENCE: Duration = Duration::from_secs(2);

/// A living `ps-balance`.
#[derive(Debug)]
pub(crate) struct Balance {
    connection: UnixStream,
    /// Where the next supervisor finds it.
    socket: PathBuf,
    /// `None` if the system does not say it.
    pid: Option<Pid>,
    /// Its process, to end it; `None` if the system could not open one.
    process: Option<OwnedFd>,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    /// On what it listens, and how it hands on; `None`: it has not said so, or cannot be told otherwise.
    reach: Option<Reach>,
    /// What it was told to listen on and has not answered.
    asked: Option<Reach>,
    /// The reports about certificates that were not collected yet.
    certificates: Vec<Read>,
    /// As whom it was started; `None`: by an earlier supervisor.
    runner: Option<Runner>,
    /// Since when it lives, or is known.
    pub(crate) since: Instant,
    /// Whether it has said anything. It first does so when it has begun to serve.
    pub(crate) has_spoken: bool,
}

/// A certificate whose files were read.
#[derive(Debug)]
pub(crate) struct Read {
    /// Whether it is shown from now on.
    pub(crate) is_taken: bool,
    /// Whether it is shown and ends within 14 days.
    pub(crate) ends_soon: bool,
    /// The file, and what is in it or what is wrong with it, for people.
    pub(crate) text: String,
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing that asks for anything; what was said is in the table and in the count.
    Nothing,
    /// It cannot be told to listen on other addresses, and has to be replaced.
    Stuck,
    /// It has nothing to do, and offers to leave.
    Idle,
    /// Its connection is closed: it has ended.
    End,
}

impl Balance {
    /// Starts one that takes connections of these sockets. What it is to go by is there before it is, so that it knows that although
    /// we may die at any time.
    ///
    /// # Errors
    /// Why it cannot be started, for people.
    pub(crate) fn start(
        service: &Path,
        (app, runner): (&str, &Runner),
        reached: &Reached<'_>,
        first: Option<Set>,
    ) -> Result<Self, String> {
        let program =
            os_process::sister(PROGRAM).ok_or("ps-balance is neither beside ps-supervise nor on PATH")?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| format!("start {PROGRAM}: {error}"))?;
        ours.set_nonblocking(true).map_err(|error| format!("start {PROGRAM}: {error}"))?;
        let mut balance = Self::with(ours, service, app);
        balance.reach = Some(reached.reach.clone());
        if let Some(first) = first {
            balance.say(&Request::Set(first));
        }
        balance.runner = Some(runner.clone());
        let pid = spawn(&program, service, (reached, runner), theirs.as_fd())
            .map_err(|error| format!("{} could not be started: {error}", program.display()))?;
        Ok(balance.of_process(Pid::from_raw(pid)))
    }

    /// The addresses on which one that lives here listens; empty if none lives. `None` if it does not say: one of an
    /// earlier version, or one that hangs.
    pub(crate) fn listens_on(service: &Path) -> Option<Vec<SocketAddr>> {
        let Ok(connection) = socket::connect_at_once(service, SOCKET) else { return Some(Vec::new()) };
        connection.set_nonblocking(false).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut line = String::new();
        // It introduces itself to everybody who connects. Only who greets it becomes its supervisor.
        BufReader::new(connection.take(LONGEST as u64)).read_line(&mut line).ok()?;
        let Ok(Report::Hello(introduction)) = serde_json::from_str(&line) else { return None };
        let listeners = introduction.reach?.listeners;
        Some(listeners.into_iter().map(|listening| listening.address).collect())
    }

    /// The one that an earlier supervisor has started, if it lives.
    pub(crate) fn left(service: &Path) -> Option<Self> {
        let connection = socket::connect_at_once(service, SOCKET).ok()?;
        let peer = rustix::net::sockopt::socket_peercred(&connection).ok()?;
        let app = service.file_name().and_then(|app| app.to_str()).unwrap_or_default();
        Some(Self::with(connection, service, app).of_process(Some(peer.pid)))
    }

    fn with(connection: UnixStream, service: &Path, app: &str) -> Self {
        let (unread, unsent, reach, asked, certificates, runner) = Default::default();
        let (socket, since) = (service.join(SOCKET), Instant::now());
        let mut balance = Self {
            connection,
            socket,
            pid: None,
            process: None,
            unread,
            unsent,
            reach,
            asked,
            certificates,
            runner,
            since,
            has_spoken: false,
        };
        balance.say(&Request::Hello(Greeting { version: VERSION, app: Some(app.to_owned()) }));
        balance
    }

    fn of_process(self, pid: Option<Pid>) -> Self {
        let process = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { pid, process, ..self }
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid.map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// The descriptor that shows that it has said something, or has ended.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    /// Copies of the sockets that it listens on; none where it does not answer.
    pub(crate) fn listeners(&self) -> Vec<(SocketAddr, OwnedFd)> {
        let mut ask = serde_json::to_vec(&Request::Listeners {}).unwrap_or_default();
        ask.push(b'\n');
        let asked = (&self.connection).write_all(&ask);
        asked.and_then(|()| self.answer_with_descriptors()).unwrap_or_default()
    }

    fn answer_with_descriptors(&self) -> io::Result<Vec<(SocketAddr, OwnedFd)>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
            let mut ready = [PollFd::new(&self.connection, PollFlags::IN)];
            rustix::io::retry_on_intr(|| rustix::event::poll(&mut ready, left.as_ref()))?;
            // Whatever else it says in answer to our greeting is said again when it is asked.
            let received = passed_fds::receive(&self.connection, &mut [0; 4096])?;
            if received.bytes == 0 {
                return Ok(Vec::new());
            }
            if !received.fds.is_empty() {
                let named = |socket: OwnedFd| Some((address_of(&socket)?, socket));
                return Ok(received.fds.into_iter().filter_map(named).collect());
            }
        }
    }

    /// Says something; false if it cannot be said any more.
    pub(crate) fn say(&mut self, request: &Request) -> bool {
        let mut line = serde_json::to_vec(request).expect("what is said is plain data");
        line.push(b'\n');
        self.unsent.extend(line);
        self.flush()
    }

    /// Has it listen like this, unless it does so already; false if that cannot be said to it.
    pub(crate) fn reach(&mut self, reached: &Reached<'_>) -> bool {
        let Some(known) = self.asked.as_ref().or(self.reach.as_ref()) else { return true };
        if *known == reached.reach {
            return true;
        }
        // The line carries the sockets, so it is sent as a whole, behind everything else.
        if !self.flush() || !self.unsent.is_empty() || self.asked.is_some() {
            return self.unsent.len() < MOST_UNSENT;
        }
        let request = Request::Reach(reached.reach.clone());
        let mut line = serde_json::to_vec(&request).expect("what is said is plain data");
        line.push(b'\n');
        match passed_fds::send(&self.connection, &line, &reached.fds) {
            Ok(sent) => {
                self.unsent.extend_from_slice(&line[sent..]);
                self.asked = Some(reached.reach.clone());
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Whether it is known to run as another user than this one.
    pub(crate) fn runs_as_another(&self, runner: &Runner) -> bool {
        self.runner.as_ref().is_some_and(|known| known != runner)
    }

    /// Whether it has said on what it listens, or was told.
    pub(crate) fn can_be_told(&self) -> bool {
        self.reach.is_some()
    }

    /// Whether it accepts clients, as far as it has said.
    pub(crate) fn accepts(&self) -> bool {
        self.reach.as_ref().is_some_and(|reach| !reach.listeners.is_empty())
    }

    /// What it has said of certificates since the last call.
    pub(crate) fn take_certificates(&mut self) -> Vec<Read> {
        std::mem::take(&mut self.certificates)
    }

    /// Sends what was not sent yet, as much as it takes in.
    pub(crate) fn flush(&mut self) -> bool {
        while !self.unsent.is_empty() {
            match self.connection.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => {
                    return error.kind() == io::ErrorKind::WouldBlock && self.unsent.len() < MOST_UNSENT;
                }
            }
        }
        self.unsent.shrink_to_fit();
        true
    }

    /// Takes in what it has said.
    pub(crate) fn hear(&mut self, table: &mut Table, count: &mut Count) -> Heard {
        let mut heard = Heard::Nothing;
        let mut buffer = [0; 4096];
        loop {
            match passed_fds::receive(&self.connection, &mut buffer) {
                Ok(received) if received.bytes == 0 => return Heard::End,
                Ok(received) => self.unread.extend_from_slice(&buffer[..received.bytes]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return heard,
                Err(_) => return Heard::End,
            }
            if self.unread.len() > LONGEST {
                return Heard::End;
            }
            for said in self.take_lines() {
                self.has_spoken = true;
                match said {
                    Report::Applied { revision } => table.applied(revision),
                    Report::Refused { reason } => table.refused(reason),
                    Report::Drained(drained) => {
                        count.drained(&drained);
                        table.drained(drained.id);
                    }
                    Report::Numbers(numbers) => count.heard(numbers),
                    Report::Idle { .. } => heard = Heard::Idle,
                    Report::Hello(introduction) => self.reach = introduction.reach.map(sorted),
                    Report::Reached { refused: None } => self.reach = self.asked.take(),
                    Report::Reached { refused: Some(_) } => heard = Heard::Stuck,
                    Report::Certificate { taken: is_taken, ends_soon, text } => {
                        self.certificates.push(Read { is_taken, ends_soon, text });
                    }
                    Report::Listeners { .. } => (),
                }
            }
        }
    }

    fn take_lines(&mut self) -> Vec<Report> {
        let end = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.unread.drain(..end).collect();
        self.unread.shrink_to_fit();
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Lets it end when its connections have ended. The next one has its place.
    pub(crate) fn leave(&mut self) {
        let _ = fs::remove_file(&self.socket);
        self.say(&Request::Leave {});
    }

    /// Ends it at once.
    pub(crate) fn kill(self) {
        if let Some(process) = &self.process {
            let _ = rustix::process::pidfd_send_signal(process, rustix::process::Signal::KILL);
        }
    }
}

/// On what it is to listen, and how it is to hand on.
#[derive(Debug)]
pub(crate) struct Reached<'a> {
    /// By address.
    pub(crate) reach: Reach,
    /// The sockets, in the same order.
    pub(crate) fds: Vec<BorrowedFd<'a>>,
    /// The directory of the app's certificate; empty if there is none.
    pub(crate) certificates: &'a Path,
}

/// Sorted by address, so that two of them can be compared.
fn sorted(mut reach: Reach) -> Reach {
    reach.listeners.sort_by_key(|listening| listening.address);
    reach
}

fn address_of(socket: &OwnedFd) -> Option<SocketAddr> {
    rustix::net::getsockname(socket).ok()?.try_into().ok()
}

/// Starts the program with these sockets, from [`FIRST`] on, and with its control connection behind them. It has no variable but these,
/// `PATH` and `HOME`, so that it is never taken for a process of the app.
fn spawn(
    program: &Path,
    service: &Path,
    (reached, runner): (&Reached<'_>, &Runner),
    control: BorrowedFd<'_>,
) -> io::Result<i32> {
    let mut fds = reached.fds.clone();
    fds.push(control);
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    // The numbers that it is to have may be in use here: what lies there would be replaced before it is copied.
    let beyond = FIRST + number(fds.len());
    let copies: Vec<OwnedFd> =
        fds.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, beyond)).collect::<Result<_, _>>()?;
    let nothing = File::open("/dev/null")?;
    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_dup2(nothing.as_raw_fd(), 0)?;
    for (number, copy) in (FIRST..).zip(&copies) {
        actions.add_dup2(copy.as_raw_fd(), number)?;
    }
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
            | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP,
    )?;
    let words = words(reached, runner).into_iter().map(text).collect::<io::Result<Vec<_>>>()?;
    let name = |listening: &Listening| if listening.tls { "tls:" } else { "listen:" };
    let names = reached.reach.listeners.iter().map(name).collect::<String>() + "control";
    let given = [("LISTEN_FDS", fds.len().to_string().into()), ("LISTEN_FDNAMES", names.into())];
    let ours = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let variable = |(name, value): (&str, OsString)| {
        let mut variable = OsString::from(format!("{name}="));
        variable.push(value);
        text(variable)
    };
    let variables = ours.chain(given).map(variable).collect::<io::Result<Vec<_>>>()?;
    // The path of a socket may have 108 bytes; that of the service directory may be longer.
    let start = || posix_spawn(program, &actions, &attributes, &words, &variables);
    Ok(within(service, start)??.as_raw())
}

/// Its command line.
fn words(reached: &Reached<'_>, runner: &Runner) -> Vec<OsString> {
    let mut words: Vec<OsString> = [PROGRAM, "--control", SOCKET].map(OsString::from).to_vec();
    if !reached.certificates.as_os_str().is_empty() {
        words.extend(["--tls-dir".into(), reached.certificates.as_os_str().to_owned()]);
    }
    words.extend(runner.words());
    words.extend(reached.reach.options.words().into_iter().map(OsString::from));
    words
}

fn text(word: OsString) -> io::Result<CString> {
    Ok(CString::new(word.into_vec())?)
}
