//! The event loop: it passes events of processes and signals to the crew, and carries out the actions that the crew
//! returns.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use node_primary::{Event, Id, Oddity, Phase, Primary, Sharing};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, WaitOptions, WaitStatus};

use crate::args::Args;
use crate::crew::{Crew, Happened, Order, Terms};
use crate::notify;
use crate::preload::{self, Preload};
use crate::signals;
use crate::start::{Program, Role};

const SIGNALS: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// The messages of pm2, as JSON and as text: the one that a program sends when it is ready, and the one that it gets
/// before it has to leave.
pub(crate) const READY: &[u8] = b"\"ready\"";
pub(crate) const SHUTDOWN: &str = "shutdown";

#[derive(Debug)]
struct Serving {
    crew: Crew,
    primary: Primary,
    program: Program,
    pids: BTreeMap<Id, Pid>,
    signals: SignalFd,
    /// Whether processes are ready only after a message of their program, and those that have sent it.
    waits: bool,
    ready: BTreeSet<Id>,
    /// Whether programs get a message before their processes leave.
    tells: bool,
    /// The exit status, once it is known.
    finished: Option<u8>,
}

/// Runs the program until it is ended, or until no process listens.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let terms =
        Terms { size: args.count()?, listen_limit: args.listen_limit(), drain_limit: args.drain_limit() };
    let mut primary = Primary::new(Sharing::RoundRobin).context("begin to wait for connections")?;
    for moved in &args.bind {
        primary.move_port(moved.port, moved.to);
    }
    let preload = Preload::write().inspect_err(|error| {
        tell(&format!(
            "write a temporary file: {error}; clients that keep connections may lose one in a reload"
        ));
    });
    let before = std::env::var_os(preload::VARIABLE);
    let options = preload.as_ref().ok().map(|preload| preload.options(before.as_deref()));
    let program = Program::new(&args.words(), options, Role::Worker).context("start the program")?;
    let mut serving = Serving {
        crew: Crew::new(terms, Instant::now()),
        primary,
        program,
        pids: BTreeMap::new(),
        signals: signals::read(&SIGNALS).context("wait for signals")?,
        waits: args.wait_ready,
        ready: BTreeSet::new(),
        tells: args.shutdown_message,
        finished: None,
    };
    let status = serving.serve()?;
    Ok(if status == 0 { Outcome::Done } else { Outcome::Status(status) })
}

fn tell(text: &str) {
    say::failure(&format!("ps-node: {text}"));
}

impl Serving {
    fn serve(&mut self) -> Result<u8> {
        loop {
            self.crew.look(Instant::now());
            self.carry_out()?;
            if let Some(status) = self.finished {
                return Ok(status);
            }
            self.wait().context("wait for connections")?;
            self.hear_signals();
            for event in self.primary.turn().context("wait for connections")? {
                self.hear(&event);
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let left = self.crew.due().map(|due| due.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut ready = [
            PollFd::new(&self.primary, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut ready, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn hear_signals(&mut self) {
        while let Some(signal) = signals::next(&self.signals) {
            let now = Instant::now();
            match signal {
                Signal::SIGCHLD => self.reap(),
                Signal::SIGHUP => self.crew.reload(now),
                _ => {
                    notify::tell("STOPPING=1");
                    self.crew.end(now);
                }
            }
        }
    }

    /// Reaps ended children. As the first process of a container this program gets orphans as well.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let Some(id) = self.pids.iter().find(|(_, known)| **known == pid).map(|(id, _)| *id) else {
                continue;
            };
            self.pids.remove(&id);
            self.ready.remove(&id);
            for event in self.primary.remove(id) {
                self.hear(&event);
            }
            self.crew.hear(id, &Happened::Ended(as_of_a_shell(status)), Instant::now());
        }
    }

    fn hear(&mut self, event: &Event) {
        let (id, happened) = match event {
            Event::Listens(id) if self.waits && !self.ready.contains(id) => return,
            Event::Message { worker, text, .. } if self.waits && text == READY => {
                self.ready.insert(*worker);
                self.primary.admit(*worker);
                if self.primary.phase(*worker) != Some(Phase::Listening) {
                    return;
                }
                (*worker, Happened::Listens)
            }
            Event::Listens(id) => (*id, Happened::Listens),
            Event::Leaves(id) => (*id, Happened::Leaves),
            Event::Ended(id) => (*id, Happened::Drained),
            Event::CannotListen { worker, place, why } => {
                let name = self.crew.name(*worker);
                return tell(&format!("process {name} cannot listen on {place}: {why}"));
            }
            Event::Odd(id, oddity) => {
                let what = match oddity {
                    Oddity::Garbage => "a line that is not JSON".to_owned(),
                    Oddity::TooLong(bytes) => format!("a message of {bytes} bytes, which is too long"),
                };
                return tell(&format!("process {} has sent {what}: it is ignored", self.crew.name(*id)));
            }
            // Other messages belong to the program and have no meaning here.
            Event::Message { .. } | Event::Refused => return,
        };
        self.crew.hear(id, &happened, Instant::now());
    }

    fn carry_out(&mut self) -> Result<()> {
        loop {
            let orders = self.crew.orders();
            if orders.is_empty() {
                return Ok(());
            }
            for order in orders {
                match order {
                    Order::Start(id, place) => self.start(id, place)?,
                    Order::Leave(id) => self.let_leave(id),
                    Order::Terminate(id) => self.signal(id, rustix::process::Signal::TERM),
                    Order::Kill(id) => self.signal(id, rustix::process::Signal::KILL),
                    Order::Say(text) => tell(&text),
                    Order::Ready => self.be_ready(),
                    Order::Reloading => notify::tell(&notify::reloading()),
                    Order::Finish(status) => self.finished = Some(status),
                }
            }
        }
    }

    fn let_leave(&mut self, id: Id) {
        if self.tells {
            // A process that does not read its messages leaves all the same, or is killed when its time is over.
            let _ = self.primary.send(id, &SHUTDOWN.into());
        }
        self.primary.leave(id);
    }

    fn be_ready(&mut self) {
        // Sockets that only the earlier version of the program listened on.
        self.primary.close_unused();
        let places: Vec<String> = self.primary.places().map(ToString::to_string).collect();
        let who = match self.serving() {
            1 => "1 process listens".to_owned(),
            count => format!("{count} processes listen"),
        };
        tell(&format!("{who} on {}", places.join(", ")));
        notify::tell("READY=1");
    }

    fn serving(&self) -> usize {
        self.pids.keys().filter(|id| self.primary.phase(**id) == Some(Phase::Listening)).count()
    }

    fn start(&mut self, id: Id, place: usize) -> Result<()> {
        let started = node_primary::channel_ends().and_then(|(ours, theirs)| {
            self.primary.add(id, ours, !self.waits)?;
            self.program.start(id, Some(place), &theirs)
        });
        match started {
            Ok(pid) => drop(self.pids.insert(id, pid)),
            // The program does not exist or cannot be executed, so another attempt cannot succeed.
            Err(error) if self.pids.is_empty() => {
                let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
                let message = format!("start {}: {error}", self.program.name());
                return Err(Refusal { status, message }.into());
            }
            Err(error) => {
                tell(&format!("start {}: {error}", self.program.name()));
                drop(self.primary.remove(id));
                self.crew.hear(id, &Happened::Ended(126), Instant::now());
            }
        }
        Ok(())
    }

    fn signal(&self, id: Id, signal: rustix::process::Signal) {
        if let Some(pid) = self.pids.get(&id) {
            // The process is not reaped yet, so no other process can have its pid.
            let _ = rustix::process::kill_process(*pid, signal);
        }
    }
}

/// The exit status as a shell reports it.
pub(crate) fn as_of_a_shell(status: WaitStatus) -> u8 {
    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
    let status = status.exit_status().or(by_signal).unwrap_or(1);
    u8::try_from(status).unwrap_or(1)
}
