//! One process whose port other `ps-node` programs listen on as well: the process of one slot of a supervisor. When the
//! process ends, `ps-node` ends in the same way; the supervisor starts it again. Or a process that listens by itself, and only
//! exchanges messages.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use node_primary::{Event, Id, Phase, Primary, Sharing};
use ps_cli::exit::{Outcome, Refusal};
use rustix::process::{Pid, WaitOptions, WaitStatus};

use crate::args::Args;
use crate::notify;
use crate::preload::{self, Preload};
use crate::serve::{self, READY, SHUTDOWN};
use crate::signals;
use crate::start::{NUMBER, Program, Role};

const SIGNALS: [Signal; 5] =
    [Signal::SIGCHLD, Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR2];
/// A program that has lived for this long without listening counts as one that does not listen.
const SETTLED: Duration = Duration::from_secs(1);
/// How long a process that has left may take to end by itself, before it gets a signal.
const GOODBYE: Duration = Duration::from_secs(1);

/// When a process that is to end gets SIGTERM (never, while it may have connections), and when it gets SIGKILL.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    terminate_at: Option<Instant>,
    kill_at: Option<Instant>,
}

/// The conditions for being ready that are not met yet.
#[derive(Clone, Copy, Debug)]
struct Awaits {
    /// The program has to send its message.
    word: bool,
    /// The program has to listen.
    port: bool,
    /// It counts as ready then, whatever is still to come.
    until: Option<Instant>,
}

#[derive(Debug)]
struct Single {
    primary: Primary,
    signals: SignalFd,
    id: Id,
    pid: Pid,
    drain_limit: Duration,
    /// It is a worker, whose ports are ours.
    shares: bool,
    /// Its program gets a message before it leaves.
    is_told: bool,
    /// `None`: the program is ready.
    awaits: Option<Awaits>,
    leaving: Option<Leaving>,
    ended: Option<WaitStatus>,
}

/// Runs the program until it ends, and ends as it does.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let signals = signals::read(&SIGNALS).context("wait for signals")?;
    let mut primary = Primary::new(Sharing::RoundRobin).context("begin to wait for connections")?;
    primary.wait_for(&signals).context("wait for signals")?;
    let options = share(&mut primary, args)?;
    let role = if args.share.is_some() { Role::Worker } else { Role::Child };
    let program = Program::new(&args.words(), options, role).context("start the program")?;
    // Programs ask for the number of their worker, which counts from 1.
    let number = std::env::var(NUMBER).ok().and_then(|number| number.parse::<Id>().ok());
    let id = number.map_or(1, |number| number.saturating_add(1));
    let pid = start(&mut primary, &program, id, !args.wait_ready)?;
    notify::tell(&notify::program(pid));
    for file in &args.pid_file {
        // Nothing depends on that file.
        let _ = preload::write_whole(file, pid.as_raw_nonzero().to_string().as_bytes());
    }
    let patience = if args.wait_ready { args.ready_limit() } else { Some(SETTLED) };
    let mut single = Single {
        primary,
        signals,
        id,
        pid,
        drain_limit: args.drain_limit(),
        shares: args.share.is_some(),
        is_told: args.shutdown_message,
        awaits: Some(Awaits {
            word: args.wait_ready,
            port: args.must_listen,
            until: patience.filter(|_| !args.must_listen).map(|patience| Instant::now() + patience),
        }),
        leaving: None,
        ended: None,
    };
    let status = single.serve().context("wait for connections")?;
    for file in &args.pid_file {
        os_process::forget_pid(file, single.pid.as_raw_nonzero().get().unsigned_abs());
    }
    // This withdraws the sockets that were lent.
    drop(single);
    if let Some(signal) = status.terminating_signal() {
        signals::end_by(signal);
    }
    let status = serve::as_of_a_shell(status);
    Ok(if status == 0 { Outcome::Done } else { Outcome::Status(status) })
}

/// Shares the ports of the process with the others of its directory, if it has one; what the process gets as `NODE_OPTIONS` then.
fn share(primary: &mut Primary, args: &Args) -> Result<Option<OsString>> {
    let Some(directory) = &args.share else { return Ok(None) };
    primary.share_in(directory).with_context(|| format!("share ports in {}", directory.display()))?;
    for moved in &args.bind {
        primary.move_port(moved.port, moved.to);
    }
    let preload = Preload::shared(directory).with_context(|| format!("write in {}", directory.display()))?;
    Ok(Some(preload.options(std::env::var_os(preload::VARIABLE).as_deref())))
}

fn start(primary: &mut Primary, program: &Program, id: Id, is_admitted: bool) -> Result<Pid> {
    let started = node_primary::channel_ends().and_then(|(ours, theirs)| {
        primary.add(id, ours, is_admitted)?;
        program.start(id, None, &theirs)
    });
    started.map_err(|error| {
        let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
        Refusal { status, message: format!("start {}: {error}", program.name()) }.into()
    })
}

impl Single {
    fn serve(&mut self) -> io::Result<WaitStatus> {
        loop {
            if let Some(status) = self.ended {
                return Ok(status);
            }
            let left = self.due().map(|due| due.saturating_duration_since(Instant::now()));
            for event in self.primary.turn_within(left)? {
                self.hear(&event);
            }
            while let Some(signal) = signals::next(&self.signals) {
                self.hear_signal(signal, Instant::now());
            }
            self.look(Instant::now());
        }
    }

    fn due(&self) -> Option<Instant> {
        let leaving = self.leaving.map(|leaving| [leaving.terminate_at, leaving.kill_at]);
        let settled = self.awaits.and_then(|awaits| awaits.until);
        leaving.into_iter().flatten().chain([settled]).flatten().min()
    }

    fn look(&mut self, now: Instant) {
        if self.awaits.and_then(|awaits| awaits.until).is_some_and(|until| until <= now) {
            self.primary.admit(self.id);
            self.be_ready();
        }
        let Some(leaving) = &mut self.leaving else { return };
        let terminates = leaving.terminate_at.take_if(|at| *at <= now).is_some();
        let kills = leaving.kill_at.take_if(|at| *at <= now).is_some();
        if terminates {
            self.signal(rustix::process::Signal::TERM);
        }
        if kills {
            self.signal(rustix::process::Signal::KILL);
        }
    }

    fn be_ready(&mut self) {
        if self.awaits.take().is_some() {
            notify::tell("READY=1");
        }
    }

    fn hear(&mut self, event: &Event) {
        match (event, &mut self.awaits) {
            (Event::Ended(_), _) => return self.has_drained(Instant::now()),
            (Event::Listens(_), Some(awaits)) => awaits.port = false,
            (Event::Message { text, .. }, Some(awaits)) if awaits.word && text == READY => {
                awaits.word = false;
                self.primary.admit(self.id);
            }
            // Other messages belong to the program and have no meaning here.
            _ => return,
        }
        if self.awaits.is_some_and(|awaits| !awaits.word && !awaits.port) && self.leaving.is_none() {
            self.be_ready();
        }
    }

    fn is_listening(&self) -> bool {
        self.primary.phase(self.id) == Some(Phase::Listening)
    }

    /// Handles that the channel is closed. A program that closes it without being told to leave may live on.
    fn has_drained(&mut self, now: Instant) {
        if let Some(leaving) = &mut self.leaving {
            leaving.terminate_at = Some(leaving.terminate_at.unwrap_or(now + GOODBYE));
        }
    }

    fn hear_signal(&mut self, signal: Signal, now: Instant) {
        match signal {
            Signal::SIGCHLD => self.reap(),
            Signal::SIGUSR2 => self.is_told = true,
            Signal::SIGHUP => self.signal(rustix::process::Signal::HUP),
            _ if self.leaving.is_some() => self.signal(rustix::process::Signal::KILL),
            _ => self.leave(now),
        }
    }

    /// Begins the end of the process. If it listens, its connections may end first. If it does not, it gets SIGTERM at once, or later if
    /// a message may be enough.
    fn leave(&mut self, now: Instant) {
        notify::tell("STOPPING=1");
        let is_listening = self.is_listening();
        let limit = now.checked_add(self.drain_limit);
        if self.is_told {
            // A process that does not read its messages leaves all the same.
            let _ = self.primary.send(self.id, &SHUTDOWN.into());
        }
        if self.shares {
            self.primary.leave(self.id);
        }
        let (terminate_at, kill_at) = match (is_listening, self.is_told) {
            (true, _) => (None, limit),
            (false, true) => (limit, limit.map(|limit| limit + GOODBYE)),
            (false, false) => (Some(now), limit),
        };
        self.leaving = Some(Leaving { terminate_at, kill_at });
    }

    /// Reaps ended children. As the first process of a container this program gets orphans as well.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.pid {
                self.ended = Some(status);
            }
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if self.ended.is_none() {
            // The process is not reaped yet, so no other process can have its pid.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }
}
