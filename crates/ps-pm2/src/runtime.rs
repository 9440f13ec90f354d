//! `pm2-runtime` and `pm2-dev`: names by which this program is called in containers and by developers. Both start apps, stay in the
//! foreground, and end their apps when they are told to end. As process 1 of a container it waits for every process that ends
//! as its child.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ps_cli::exit::Outcome;
use ps_supervisor::Signals;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::process::WaitOptions;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::args::{self, Args};
use crate::book::Book;
use crate::home::Home;
use crate::logs::Stream;
use crate::row::{self, Status};
use crate::runtime_args::{Name, Own};
use crate::say;
use crate::session::Session;
use crate::{kill, send_signal, start};

/// The pause between two looks at logs.
const LOOK: Duration = Duration::from_millis(50);
/// The pause between two looks at the apps.
const LOOK_AT_APPS: Duration = Duration::from_secs(1);
/// In so many looks nothing may run before the end: an app that is started again by hand is waited for.
const LOOKS: u32 = 3;
/// The exit status of pm2-runtime when no app is left that runs.
const NOTHING_RUNS: u8 = 2;

/// The name by which the program was called, if it is one of these.
pub(crate) fn called(words: &[OsString]) -> Option<Name> {
    Name::of(Path::new(words.first()?))
}

/// Starts the apps, and stays until they have ended or a signal says so.
///
/// # Errors
/// An app cannot be started, or others run in the same `PM2_HOME`.
pub(crate) fn run(name: Name, words: &[OsString]) -> Result<Outcome> {
    let (own, words) = Own::read(name, words)?;
    if own.asks_for_help {
        say::plain(name.help())?;
        return Ok(Outcome::Done);
    }
    let mut args = match args::parse(&words)? {
        Ok(args) => args,
        Err(outcome) => return Ok(outcome),
    };
    own.complete(&mut args);
    for stream in [rustix::stdio::stdout(), rustix::stdio::stderr()] {
        append(stream);
    }
    let is_direct = own.writes_directly() && write_directly(&mut args);
    let session = Session::open_in(args, name.home())?;
    // Before anything is started: a signal that comes now has to end it as well.
    let signals =
        Signals::watch(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]).context("wait for signals")?;
    clear(&session.home)?;
    thread::sleep(own.delay);
    let mut stream = (!is_direct).then(|| Stream::begin(&session.home));
    let outcome = start::run(&session).and_then(|_| stay(&session, &own, &signals, stream.as_mut()));
    kill::everything(&session.home)?;
    if let Some(stream) = &mut stream {
        stream.show(&session.args)?;
    }
    reap();
    outcome
}

/// What an earlier life of the container has left is forgotten. What runs is somebody else's.
fn clear(home: &Home) -> Result<()> {
    let book = Book::read(home)?;
    let rows = row::rows(home, &book)?;
    if let Some(row) = rows.iter().find(|row| row.pid > 0) {
        bail!(
            "{} runs in {} already, and its end would be that of this command: set PM2_HOME to another directory",
            row.app.name,
            home.directory().display()
        );
    }
    if rows.is_empty() { Ok(()) } else { kill::everything(home) }
}

/// Until a signal comes that ends, or nothing runs any more.
fn stay(session: &Session, own: &Own, signals: &Signals, mut stream: Option<&mut Stream>) -> Result<Outcome> {
    let (mut looked, mut idle) = (Instant::now(), 0);
    if let Some(stream) = &mut stream {
        stream.look_for_new(session)?;
    }
    loop {
        for signal in signals.take() {
            match signal {
                SIGUSR1 => pass_on(session, "SIGUSR1"),
                SIGUSR2 => pass_on(session, "SIGUSR2"),
                _ => return Ok(Outcome::Done),
            }
        }
        reap();
        let is_time = looked.elapsed() >= LOOK_AT_APPS;
        if let Some(stream) = &mut stream {
            if is_time {
                stream.look_for_new(session)?;
            }
            stream.show(&session.args)?;
        }
        if is_time && own.ends_with_apps {
            idle = if runs(&session.home)? { 0 } else { idle + 1 };
            if idle >= LOOKS {
                say::error("no app runs any more");
                return Ok(Outcome::Status(NOTHING_RUNS));
            }
        }
        if is_time {
            looked = Instant::now();
        }
        wait(signals, if stream.is_some() { LOOK } else { LOOK_AT_APPS })?;
    }
}

/// Waits until a signal comes, or this time is over.
fn wait(signals: &Signals, most: Duration) -> Result<()> {
    let most = Timespec::try_from(most).context("wait for signals")?;
    let fd = signals.fd();
    match rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&most)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(errno).context("wait for signals"),
    }
}

/// Whether an app runs, or is about to.
fn runs(home: &Home) -> Result<bool> {
    let book = Book::read(home)?;
    let is_up = |status| matches!(status, Status::Online | Status::Launching | Status::Stopping);
    Ok(row::rows(home, &book)?.iter().any(|row| is_up(row.status)))
}

/// An app that has no process at the moment gets no signal, and the others do.
fn pass_on(session: &Session, signal: &str) {
    let passed = Book::read(&session.home).and_then(|book| send_signal::to_all(&session.home, &book, signal));
    if let Err(error) = passed {
        say::error(format_args!("pass {signal} on: {error:#}"));
    }
}

/// Takes the exit statuses of ended children, whoever has started them: a container has nobody else who does.
fn reap() {
    if rustix::process::getpid().is_init() {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}

/// Has apps write to our own stdout and stderr, unless files are named, or these cannot be opened anew, such as sockets.
fn write_directly(args: &mut Args) -> bool {
    let own = |number: u32| PathBuf::from(format!("/proc/{}/fd/{number}", std::process::id()));
    let (out, err) = (own(1), own(2));
    let can_open = |path: &Path| -> io::Result<File> { OpenOptions::new().append(true).open(path) };
    if args.output.is_some()
        || args.error.is_some()
        || [&out, &err].into_iter().any(|path| can_open(path).is_err())
    {
        return false;
    }
    let text = |path: PathBuf| path.display().to_string().into();
    args.usual.extend([("out_file", text(out)), ("error_file", text(err))]);
    true
}

/// Where the stream is a file that others write to as well, nobody may write over what another one has written.
fn append(stream: rustix::fd::BorrowedFd<'_>) {
    if let Ok(flags) = rustix::fs::fcntl_getfl(stream) {
        // A stream that cannot be changed is as it was.
        let _ = rustix::fs::fcntl_setfl(stream, flags | OFlags::APPEND);
    }
}
