//! Connects the terminal or the pipes of this program with a process in a container: passes on stdin, output and signals, and
//! gives the terminal there the size of the local one. The connection lasts until the output of the process ends.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use formation::Stream;
use futures_util::future::{Either, select};
use ps_engine::{Engine, Fault, Input, Output, Target};
use ps_scheduler::Signals;
use rustix::process::Signal;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, sleep, sleep_until};

use crate::inmate;
use crate::terminal::{self, RawMode};

/// How much of stdin is read at a time, and how many such pieces wait.
const PIECE: usize = 1 << 16;
const PIECES: usize = 4;
/// How long a process may take until it has a terminal, and the pause between two attempts to set the size of that terminal.
const BEING_STARTED: Duration = Duration::from_secs(2);
const FIT_AGAIN: Duration = Duration::from_millis(20);
/// How long to wait for the last output of a process that had to be killed.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// A connection with a process in a container, and its limits.
#[derive(Clone, Copy)]
pub struct Talk<'a> {
    /// The engine of the container.
    pub engine: &'a Engine,
    /// The container of the process.
    pub container: &'a str,
    /// The process.
    pub target: Target<'a>,
    /// Whether both ends are terminals.
    pub is_terminal: bool,
    /// The signals that this program receives meanwhile.
    pub signals: Signals<'a>,
    /// The time after which the process is ended.
    pub timeout: Option<Duration>,
    /// The time from that, or from a signal that asks it to end, to SIGKILL.
    pub grace: Duration,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The process closed its output.
    Silent,
    /// The time of the process was over.
    TimedOut,
    /// The reader of the output is gone.
    Unread,
}

impl Talk<'_> {
    /// Keeps the connection until the output of the process ends. After an error, the caller ends the process.
    ///
    /// # Errors
    /// The process was to be killed, and the engine refused or did not answer.
    pub async fn hold(&self, (input, mut output): (Input, Output)) -> Result<Over, Fault> {
        let _raw = self.is_terminal.then(RawMode::enter);
        let drained = pin!(drain(&mut output));
        // A program may query the size of the terminal when input arrives, so input is sent after the size is set.
        let fed = pin!(async {
            self.fit_first().await;
            feed(input, stdin()).await
        });
        let is_late = Cell::new(false);
        let tended = pin!(self.tend(&is_late));
        match select(drained, select(tended, fed)).await {
            Either::Left((Over::Silent, _)) if is_late.get() => Ok(Over::TimedOut),
            Either::Left((drained, _)) => Ok(drained),
            Either::Right((Either::Left((over, _)), drained)) => {
                // The process has been killed, and its earlier output is still on its way.
                let last = pin!(sleep(AFTER_KILL));
                select(drained, last).await;
                over
            }
            Either::Right((Either::Right((never, _)), _)) => match never {},
        }
    }

    /// Passes on signals and the size of the terminal, and ends the process when its time is over. Returns once the process had to
    /// be killed.
    async fn tend(&self, is_late: &Cell<bool>) -> Result<Over, Fault> {
        let signals = listener(self.signals.fd).ok();
        let times_out = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut kill_at = None;
        loop {
            let next = if is_late.get() { kill_at } else { kill_at.into_iter().chain(times_out).min() };
            let due = pin!(until(next));
            let heard = pin!(heard(signals.as_ref()));
            match select(heard, due).await {
                Either::Left(_) => {
                    for signal in (self.signals.take)() {
                        self.hear(signal, &mut kill_at).await;
                    }
                }
                Either::Right(_) if kill_at.is_some_and(|at| at <= Instant::now()) => {
                    self.kill().await?;
                    return Ok(if is_late.get() { Over::TimedOut } else { Over::Silent });
                }
                Either::Right(_) => {
                    is_late.set(true);
                    self.pass_on(Signal::TERM.as_raw()).await;
                    kill_at = Some(Instant::now() + self.grace);
                }
            }
        }
    }

    async fn hear(&self, signal: i32, kill_at: &mut Option<Instant>) {
        if signal == Signal::WINCH.as_raw() {
            self.fit().await;
            return;
        }
        self.pass_on(signal).await;
        if [Signal::TERM, Signal::HUP].map(Signal::as_raw).contains(&signal) {
            kill_at.get_or_insert(Instant::now() + self.grace);
        }
    }

    /// Gives the terminal in the container the size of the local one; false if that fails, for example because the process has
    /// ended.
    async fn fit(&self) -> bool {
        let Some((rows, columns)) = terminal::size().filter(|_| self.is_terminal) else { return true };
        self.engine.resize(self.target, rows, columns).await.is_ok()
    }

    /// A process that is being started has no terminal yet, and the engine refuses to set a size for a moment.
    async fn fit_first(&self) {
        let until = Instant::now() + BEING_STARTED;
        while !self.fit().await && Instant::now() < until {
            sleep(FIT_AGAIN).await;
        }
    }

    async fn pass_on(&self, signal: i32) {
        // The process may have ended by now.
        let _ = match self.target {
            Target::Container(id) => self.engine.signal(id, signal).await.is_ok(),
            Target::Exec(id) => match self.engine.exec_pid(id).await {
                Ok(Some(pid)) => inmate::signal(self.container, pid, signal).is_ok(),
                Ok(None) | Err(_) => false,
            },
        };
    }

    async fn kill(&self) -> Result<(), Fault> {
        match self.target {
            Target::Container(id) => match self.engine.kill(id).await {
                Err(fault) if !fault.is_gone() && !fault.is_conflict() => Err(fault),
                _ => Ok(()),
            },
            Target::Exec(_) => {
                self.pass_on(Signal::KILL.as_raw()).await;
                Ok(())
            }
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// A second descriptor for the socket that reports signals, for this runtime.
fn listener(fd: BorrowedFd<'_>) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(rustix::io::dup(fd)?);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Returns when a signal has come. The bytes have no meaning.
async fn heard(signals: Option<&UnixStream>) {
    let Some(signals) = signals else { return std::future::pending().await };
    if signals.readable().await.is_ok() {
        let mut bytes = [0; 64];
        while matches!(signals.try_read(&mut bytes), Ok(1..)) {}
    }
}

/// Writes the process's output until it ends. A broken connection ends it too; the caller then asks the engine how the
/// process ended.
async fn drain(output: &mut Output) -> Over {
    while let Ok(Some((stream, bytes))) = output.next().await {
        let written = match stream {
            Stream::Stdout => write(&mut io::stdout().lock(), &bytes),
            Stream::Stderr => write(&mut io::stderr().lock(), &bytes),
        };
        if written.is_err() {
            return Over::Unread;
        }
    }
    Over::Silent
}

fn write(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// The type of a result that never comes.
enum Never {}

async fn feed(mut input: Input, mut stdin: Receiver<Vec<u8>>) -> Never {
    while let Some(bytes) = stdin.recv().await {
        if input.write(&bytes).await.is_err() {
            break;
        }
    }
    input.close().await;
    std::future::pending().await
}

/// The input from stdin. The thread that reads it ends with the program.
fn stdin() -> Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel(PIECES);
    thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        loop {
            let read = match io::stdin().lock().read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.unwrap_or(0),
            };
            if read == 0 || send.blocking_send(piece[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    receive
}
