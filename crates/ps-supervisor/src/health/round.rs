//! One check that is asked again and again: a try, a pause, the next try.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use os_process::Listeners;
use ps_probe::{Ask, Check, Get, Probe, Standing};

use super::command::{CommandTry, Killer, Runner};

/// A port that nobody listens on yet is looked at again after a quarter of the time that has passed, within these bounds.
const SOONEST: Duration = Duration::from_millis(10);
const LATEST: Duration = Duration::from_millis(500);

/// Whom a check is asked about, and what it takes to ask.
pub(crate) struct Asked<'a, 'b> {
    /// Its port; `None`: it has none, and whatever asks for one does not hold.
    pub(crate) port: Option<u16>,
    /// When it was started.
    pub(crate) born: Instant,
    /// The ports that are listened on.
    pub(crate) listeners: &'a mut Listeners,
    /// Runs commands in its surroundings.
    pub(crate) runner: &'a mut Runner<'b>,
}

/// A check, and how far it has come.
#[derive(Debug)]
pub(crate) struct Round {
    check: Check,
    /// Its place among all checks of its run: the name of its command's group.
    index: usize,
    /// How often it has failed in a row.
    failures: u32,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// It is asked then.
    At(Instant),
    /// It is being asked.
    Asked { attempt: Try, is_watched: bool },
}

/// One try.
#[derive(Debug)]
enum Try {
    /// The port is to be listened on.
    Listen(Listen),
    /// The same, before it is asked.
    Await(Listen, Get),
    Get(Probe),
    Run(Box<CommandTry>),
    Live(Instant),
}

/// A port that is waited for.
#[derive(Clone, Copy, Debug)]
struct Listen {
    port: u16,
    since: Instant,
    again: Instant,
    until: Instant,
}

impl Round {
    /// A check that is asked for the first time then.
    pub(crate) fn new(check: Check, index: usize, begin: Instant) -> Self {
        Self { check, index, failures: 0, step: Step::At(begin) }
    }

    /// It goes on from here: it is asked again after its first delay, or its pause.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        let delay = self.check.initial_delay.max(self.check.wait);
        (self.failures, self.step) = (0, Step::At(now.checked_add(delay).unwrap_or(now)));
    }

    /// What is asked.
    pub(crate) fn check(&self) -> &Check {
        &self.check
    }

    /// Goes on as far as it can; `Some`: a try is over, and what came of it. Of the next one the pause has begun.
    pub(crate) fn look(&mut self, asked: &mut Asked<'_, '_>, now: Instant) -> Option<Result<(), String>> {
        if let Step::At(due) = self.step {
            if due > now {
                return None;
            }
            match begin(&self.check, self.index, asked, now) {
                Ok(attempt) => self.step = Step::Asked { attempt, is_watched: false },
                Err(reason) => return Some(self.conclude(Err(reason), now)),
            }
        }
        let Step::Asked { attempt, is_watched } = &mut self.step else { return None };
        let timeout = self.check.timeout;
        if let Try::Await(listen, get) = attempt
            && listen.look(asked.listeners, now) == Standing::Holds
        {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port));
            let left = listen.until.saturating_duration_since(now).min(timeout);
            (*attempt, *is_watched) = (Try::Get(Probe::begin(get, address, left, now)), false);
        }
        let standing = match attempt {
            Try::Listen(listen) | Try::Await(listen, _) => listen.look(asked.listeners, now),
            Try::Get(probe) => probe.advance(now),
            Try::Run(command) => command.look(&mut asked.runner.killer, now),
            Try::Live(until) if *until <= now => Standing::Holds,
            Try::Live(_) => Standing::Pending,
        };
        match standing {
            Standing::Pending => None,
            Standing::Holds => Some(self.conclude(Ok(()), now)),
            Standing::DoesNotHold(reason) => Some(self.conclude(Err(reason), now)),
        }
    }

    fn conclude(&mut self, answer: Result<(), String>, now: Instant) -> Result<(), String> {
        self.failures = if answer.is_ok() { 0 } else { self.failures.saturating_add(1) };
        self.step = Step::At(now.checked_add(self.check.wait).unwrap_or(now));
        answer
    }

    /// Whether it has failed as often in a row as it may, and the reason of the last time in words.
    pub(crate) fn verdict(&self, reason: &str) -> Option<String> {
        let tries = match self.failures {
            1 => "1 attempt".to_owned(),
            failures => format!("{failures} attempts"),
        };
        (self.failures >= self.check.attempts)
            .then(|| format!("did not {} in {tries} ({reason})", self.check))
    }

    /// A check command of it has ended.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<formation::Exit>) -> bool {
        match &mut self.step {
            Step::Asked { attempt: Try::Run(command), .. } => command.reap(pid, exit),
            Step::Asked { .. } | Step::At(_) => false,
        }
    }

    /// Ends what is being asked.
    pub(crate) fn give_up(self, killer: &mut Killer<'_>) {
        if let Step::Asked { attempt: Try::Run(command), .. } = self.step {
            command.kill(killer);
        }
    }

    /// What is to be watched from now on, if it is not watched yet.
    pub(crate) fn unwatched(&mut self) -> Option<(usize, BorrowedFd<'_>)> {
        let index = self.index;
        let Step::Asked { attempt, is_watched } = &mut self.step else { return None };
        if *is_watched {
            return None;
        }
        let descriptor = match attempt {
            Try::Get(probe) => probe.waits_for().map(|(descriptor, _)| descriptor),
            Try::Run(command) => command.output(),
            Try::Listen(_) | Try::Await(..) | Try::Live(_) => None,
        };
        *is_watched = descriptor.is_some();
        descriptor.map(|descriptor| (index, descriptor))
    }

    /// When it is to be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        match &self.step {
            Step::At(due) => *due,
            Step::Asked { attempt, .. } => match attempt {
                Try::Listen(listen) | Try::Await(listen, _) => listen.again.min(listen.until),
                Try::Get(probe) => probe.due(now),
                Try::Run(command) => command.due(now),
                Try::Live(until) => *until,
            },
        }
    }
}

impl Listen {
    fn begin(port: Option<u16>, now: Instant, patience: Duration) -> Result<Self, String> {
        let port = port.ok_or("it has no port")?;
        let until = now.checked_add(patience).unwrap_or(now + Duration::from_secs(86_400));
        Ok(Self { port, since: now, again: now, until })
    }

    fn look(&mut self, listeners: &mut Listeners, now: Instant) -> Standing {
        // Whoever has read the table has read it for all.
        if self.again <= now || listeners.is_read() {
            if listeners.has(self.port) {
                return Standing::Holds;
            }
            self.again = now + (now.saturating_duration_since(self.since) / 4).clamp(SOONEST, LATEST);
        }
        if self.until <= now {
            return Standing::DoesNotHold(format!("nobody listens on port {}", self.port));
        }
        Standing::Pending
    }
}

fn begin(check: &Check, index: usize, asked: &mut Asked<'_, '_>, now: Instant) -> Result<Try, String> {
    Ok(match &check.ask {
        Ask::Listen => Try::Listen(Listen::begin(asked.port, now, check.timeout)?),
        Ask::Get(get) => Try::Await(Listen::begin(asked.port, now, check.timeout)?, get.clone()),
        Ask::Run(words) => {
            Try::Run(Box::new(CommandTry::begin(words, index, check.timeout, asked.runner, now)?))
        }
        Ask::Live(life) => Try::Live(asked.born.checked_add(*life).unwrap_or(now)),
    })
}
