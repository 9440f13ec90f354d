//! One check, repeated: a try, a pause, the next try.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use os_process::Listens;
use ps_probe::{Ask, Check, Get, Probe, Scheme, Standing};

use super::asked::Asked;
use super::command::{CommandTry, Killer};
use super::question::{Question, QuestionTry};

/// While a port is not listened on, it is looked at again after a quarter of the time that has passed since the start,
/// within these bounds.
const SOONEST: Duration = Duration::from_millis(10);
const LATEST: Duration = Duration::from_millis(500);

/// A check and its current try.
#[derive(Debug)]
pub(crate) struct Round {
    check: Check,
    /// The number of the check among those of its run; names the group of its command.
    index: usize,
    /// How many tries in a row have failed.
    failures: u32,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The next try begins then.
    At(Instant),
    /// A try is in progress.
    Asked { attempt: Try, is_watched: bool },
}

/// One try.
#[derive(Debug)]
enum Try {
    /// Waits until the port is listened on.
    Listen(Listen),
    /// Waits until the port is listened on, then sends the GET.
    Await(Listen, Get),
    Get(Probe),
    /// A GET by https, which another program makes.
    Question(QuestionTry),
    Run(Box<CommandTry>),
    Live(Instant),
}

/// A port whose listener is waited for.
#[derive(Clone, Copy, Debug)]
struct Listen {
    port: u16,
    since: Instant,
    again: Instant,
    until: Instant,
    /// Whether another process listened on the port at the last look.
    is_others: bool,
}

impl Round {
    /// A check whose first try begins at `begin`.
    pub(crate) fn new(check: Check, index: usize, begin: Instant) -> Self {
        Self { check, index, failures: 0, step: Step::At(begin) }
    }

    /// Starts over: the next try begins after the initial delay or the pause, whichever is longer.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        let delay = self.check.initial_delay.max(self.check.wait);
        (self.failures, self.step) = (0, Step::At(now.checked_add(delay).unwrap_or(now)));
    }

    /// The check.
    pub(crate) fn check(&self) -> &Check {
        &self.check
    }

    /// Continues the current try. `Some`: the try is over, with its result, and the pause before the next one has begun.
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
            && listen.look(asked, now) == Standing::Holds
        {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port));
            let left = listen.until.saturating_duration_since(now).min(timeout);
            match put(get, address, left, self.index, asked, now) {
                Ok(put) => (*attempt, *is_watched) = (put, false),
                Err(reason) => return Some(self.conclude(Err(reason), now)),
            }
        }
        let standing = match attempt {
            Try::Listen(listen) | Try::Await(listen, _) => listen.look(asked, now),
            Try::Get(probe) => probe.advance(now),
            Try::Question(question) => question.look(&mut asked.runner.killer, now),
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

    /// If as many tries in a row have failed as are allowed: the message, with the reason of the last one.
    pub(crate) fn failure(&self, reason: &str) -> Option<String> {
        (self.failures >= self.check.attempts).then(|| self.check.failure(self.failures, reason))
    }

    /// A child has exited; whether it was a command of this check.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<formation::Exit>) -> bool {
        match &mut self.step {
            Step::Asked { attempt: Try::Run(command), .. } => command.reap(pid, exit),
            Step::Asked { attempt: Try::Question(question), .. } => question.reap(pid, exit),
            Step::Asked { .. } | Step::At(_) => false,
        }
    }

    /// Ends the current try.
    pub(crate) fn give_up(self, killer: &mut Killer<'_>) {
        match self.step {
            Step::Asked { attempt: Try::Run(command), .. } => command.kill(killer),
            Step::Asked { attempt: Try::Question(question), .. } => question.kill(killer),
            Step::Asked { attempt: Try::Listen(_) | Try::Await(..) | Try::Get(_) | Try::Live(_), .. }
            | Step::At(_) => {}
        }
    }

    /// The descriptor of the current try, if the event loop does not watch it yet.
    pub(crate) fn unwatched(&mut self) -> Option<(usize, BorrowedFd<'_>)> {
        let index = self.index;
        let Step::Asked { attempt, is_watched } = &mut self.step else { return None };
        if *is_watched {
            return None;
        }
        let descriptor = match attempt {
            Try::Get(probe) => probe.waits_for().map(|(descriptor, _)| descriptor),
            Try::Question(question) => question.output(),
            Try::Run(command) => command.output(),
            Try::Listen(_) | Try::Await(..) | Try::Live(_) => None,
        };
        *is_watched = descriptor.is_some();
        descriptor.map(|descriptor| (index, descriptor))
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        match &self.step {
            Step::At(due) => *due,
            Step::Asked { attempt, .. } => match attempt {
                Try::Listen(listen) | Try::Await(listen, _) => listen.again.min(listen.until),
                Try::Get(probe) => probe.due(now),
                Try::Question(question) => question.due(now),
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
        Ok(Self { port, since: now, again: now, until, is_others: false })
    }

    fn look(&mut self, asked: &mut Asked<'_, '_>, now: Instant) -> Standing {
        // If the table of listening sockets was read in this turn already, looking costs nothing, unless another process
        // listens on the port: then all processes of the run have to be looked at.
        if self.again <= now || (asked.listeners.is_read() && !self.is_others) {
            let found = asked.listens(self.port);
            if matches!(found, Listens::Own | Listens::Unknown) {
                return Standing::Holds;
            }
            self.is_others = found == Listens::Other;
            self.again = now + (now.saturating_duration_since(self.since) / 4).clamp(SOONEST, LATEST);
        }
        if self.until <= now {
            return Standing::DoesNotHold(asked.missing(self.port).to_string());
        }
        Standing::Pending
    }
}

fn begin(check: &Check, index: usize, asked: &mut Asked<'_, '_>, now: Instant) -> Result<Try, String> {
    let port = check.port.or(asked.port);
    Ok(match &check.ask {
        Ask::Listen => Try::Listen(Listen::begin(port, now, check.timeout)?),
        Ask::Get(get) => Try::Await(Listen::begin(port, now, check.timeout)?, get.clone()),
        Ask::Run(words) => {
            Try::Run(Box::new(CommandTry::begin(words, index, check.timeout, asked.runner, now)?))
        }
        Ask::Live(life) => Try::Live(asked.born.checked_add(*life).unwrap_or(now)),
    })
}

/// Sends a GET request to the process that listens: for HTTP from here, for HTTPS through another program.
fn put(
    get: &Get,
    address: SocketAddr,
    timeout: Duration,
    index: usize,
    asked: &mut Asked<'_, '_>,
    now: Instant,
) -> Result<Try, String> {
    match get.scheme {
        Scheme::Http => Ok(Try::Get(Probe::begin(get, address, timeout, now))),
        Scheme::Https => {
            let question = Question { get: get.clone(), address, timeout };
            QuestionTry::begin(&question, index, asked.runner, now).map(Try::Question)
        }
    }
}
