//! The checks of one run, from its start until it ends.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use formation::Exit;
use ps_probe::{Ask, Check, Checks};

use super::asked::Asked;
use super::command::Killer;
use super::round::Round;
use super::{Health, LEAST_LIFE, NOT_READY, Ready, WARNING};
use crate::run_table::RunState;

/// The deadline of one wait for a port. It is long because the start as a whole has a deadline of its own.
const PATIENCE: Duration = Duration::from_secs(86_400);
/// How long the supervisor waits for a port before it reports that it waits.
const SILENCE: Duration = Duration::from_secs(5);

/// A result that the run has to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is ready.
    Ready,
    /// It is not ready and never will be: the reason.
    NotReady(String),
    /// It was ready and is not any more: the reason.
    Unready(String),
    /// A liveness check has failed: the reason.
    Unhealthy(String),
    /// Its watchdog message is overdue: the reason.
    Silent(String),
    /// Only to be told: a try failed and another one follows, or a check failed that is only to warn.
    Warning(String),
}

/// The checks of one run and their results so far.
#[derive(Debug)]
pub(crate) struct Monitor {
    born: Instant,
    startup: Option<Startup>,
    repeated: Vec<RepeatedCheck>,
    watchdog: Option<(Duration, Option<Instant>)>,
    /// The `on_failure` commands of checks that have failed since this was last asked.
    failures: Vec<Vec<String>>,
}

/// The conditions that must come true before a run is ready.
#[derive(Debug)]
struct Startup {
    rounds: VecDeque<Round>,
    /// Whether the port is waited for because of [`Ready::Listening`], without a check that asks for it.
    awaits_port: bool,
    /// When to say that the port is still not listened on.
    tells: Option<Instant>,
    /// Whether `READY=1` has not come yet.
    awaits_word: bool,
    /// When the least life is over.
    ripe: Option<Instant>,
    deadline: Option<Instant>,
    allowed: Duration,
    /// Why the last try failed, for the message at the deadline.
    last: Option<String>,
    /// [`Health::only_tells`].
    only_tells: bool,
}

/// A check that is repeated while the run is ready.
#[derive(Debug)]
struct RepeatedCheck {
    round: Round,
    is_liveness: bool,
    has_failed: bool,
}

impl Monitor {
    /// For a run that was just started. If `state` says that it was ready before, only the repeated checks begin.
    pub(crate) fn new(health: &Health, state: RunState, now: Instant) -> Self {
        let is_ready = state != RunState::Starting;
        let checks = &as_they_are_asked(health);
        let first = |check: &Check| now.checked_add(check.initial_delay).unwrap_or(now);
        let mut startup: Vec<Check> = checks.startup.clone();
        let awaits_port = health.ready == Ready::Listening;
        if awaits_port {
            startup.insert(0, listening());
        }
        startup.iter_mut().for_each(look_at_the_port_all_along);
        let watched = startup.len();
        let mut begin = now;
        let rounds = startup.into_iter().enumerate().map(|(index, check)| {
            begin = begin.max(first(&check));
            Round::new(check, index, begin)
        });
        let rounds: VecDeque<Round> = rounds.collect();
        let kinds = [(true, &checks.liveness), (false, &checks.readiness)];
        let all = kinds
            .into_iter()
            .flat_map(|(is_liveness, list)| list.iter().map(move |check| (is_liveness, check)));
        let check = |(index, (is_liveness, check)): (usize, (bool, &Check))| {
            let begin = now.checked_add(check.initial_delay.max(check.wait)).unwrap_or(now);
            RepeatedCheck {
                round: Round::new(check.clone(), watched + index, begin),
                is_liveness,
                has_failed: state == RunState::Unready,
            }
        };
        let repeated = all.enumerate().map(check).collect();
        let allowed = health.deadline.unwrap_or_default();
        let ripe = (rounds.is_empty() && health.ready == Ready::Alive).then(|| now + LEAST_LIFE);
        let startup = Startup {
            rounds,
            awaits_port,
            tells: awaits_port.then(|| now + SILENCE),
            awaits_word: health.ready == Ready::Notify,
            ripe,
            deadline: health.deadline.and_then(|allowed| now.checked_add(allowed)),
            allowed,
            last: None,
            only_tells: health.only_tells,
        };
        let watchdog = health.watchdog.map(|period| (period, is_ready.then(|| now + period)));
        let startup = (!is_ready).then_some(startup);
        Self { born: now, startup, repeated, watchdog, failures: Vec::new() }
    }

    /// When the run was started, or taken over by this supervisor.
    pub(crate) fn born(&self) -> Instant {
        self.born
    }

    /// Whether there is a check, a watchdog or a condition left.
    pub(crate) fn is_needed(&self) -> bool {
        self.startup.is_some() || !self.repeated.is_empty() || self.watchdog.is_some()
    }

    /// Continues every check that has news or is due, and returns the results.
    pub(crate) fn look(&mut self, asked: &mut Asked<'_, '_>, now: Instant) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(startup) = &mut self.startup {
            let mut found = startup.look(asked, &mut self.failures, now);
            if startup.only_tells {
                found = found.into_iter().flat_map(only_tell).collect();
            }
            let is_over = found.iter().any(|found| matches!(found, Finding::Ready | Finding::NotReady(_)));
            findings.extend(found);
            if is_over {
                self.startup = None;
                self.begin_repeating(now);
            }
            return findings;
        }
        let was_ready = !self.repeated.iter().any(RepeatedCheck::is_in_the_way);
        for check in &mut self.repeated {
            findings.extend(check.look(asked, &mut self.failures, now));
        }
        if !was_ready && !self.repeated.iter().any(RepeatedCheck::is_in_the_way) {
            findings.push(Finding::Ready);
        }
        if let Some((period, Some(due))) = self.watchdog
            && due <= now
        {
            self.watchdog = None;
            let seconds = period.as_secs_f64();
            findings.push(Finding::Silent(format!("it did not say WATCHDOG=1 for {seconds} s")));
        }
        findings
    }

    fn begin_repeating(&mut self, now: Instant) {
        for check in &mut self.repeated {
            check.round.begin_anew(now);
        }
        if let Some((period, due)) = &mut self.watchdog {
            *due = now.checked_add(*period);
        }
    }

    /// Takes the commands that are to be run because a check has failed.
    pub(crate) fn take_failures(&mut self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.failures)
    }

    /// A child has exited; whether it was a check command.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.rounds_mut().any(|round| round.reap(pid, exit))
    }

    /// Ends all checks.
    pub(crate) fn give_up(&mut self, killer: &mut Killer<'_>) {
        let startup = self.startup.take().into_iter().flat_map(|startup| startup.rounds);
        for round in startup.chain(self.repeated.drain(..).map(|check| check.round)) {
            round.give_up(killer);
        }
    }

    /// Descriptors that the event loop does not watch yet, by the number of their check.
    pub(crate) fn unwatched(&mut self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.rounds_mut().filter_map(Round::unwatched)
    }

    /// All checks that are in progress.
    fn rounds_mut(&mut self) -> impl Iterator<Item = &mut Round> {
        let startup = self.startup.as_mut().and_then(|startup| startup.rounds.front_mut());
        let is_ready = startup.is_none();
        let repeated = self.repeated.iter_mut().filter(move |_| is_ready).map(|check| &mut check.round);
        startup.into_iter().chain(repeated)
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if let Some(startup) = &self.startup {
            return startup.due(now);
        }
        let repeated = self.repeated.iter().map(|check| check.round.due(now));
        repeated.chain(self.watchdog.and_then(|(_, due)| due)).min()
    }
}

/// The messages of the run itself (sd_notify).
impl Monitor {
    /// `READY=1`.
    pub(crate) fn hear_ready(&mut self) {
        if let Some(startup) = &mut self.startup {
            startup.awaits_word = false;
        }
    }

    /// `WATCHDOG=1`.
    pub(crate) fn hear_alive(&mut self, now: Instant) {
        if let Some((period, Some(due))) = &mut self.watchdog {
            *due = now.checked_add(*period).unwrap_or(*due);
        }
    }

    /// `WATCHDOG_USEC`: the new longest pause between two watchdog messages.
    pub(crate) fn hear_period(&mut self, period: Duration, now: Instant) {
        let is_ready = self.startup.is_none();
        self.watchdog = (!period.is_zero()).then(|| (period, is_ready.then(|| now + period)));
    }

    /// `WATCHDOG=trigger`: the process asks to be treated as hung. Whether it has a watchdog at all.
    pub(crate) fn hear_trigger(&mut self) -> bool {
        self.watchdog.take().is_some()
    }

    /// `EXTEND_TIMEOUT_USEC`: the current deadline is at least this far away from now.
    pub(crate) fn extend(&mut self, time: Duration, now: Instant) {
        let longer = |due: Instant| now.checked_add(time).map_or(due, |asked| asked.max(due));
        if let Some(startup) = &mut self.startup {
            startup.deadline = startup.deadline.map(longer);
        }
        if let Some((_, Some(due))) = &mut self.watchdog {
            *due = longer(*due);
        }
    }
}

impl Startup {
    fn look(
        &mut self,
        asked: &mut Asked<'_, '_>,
        failures: &mut Vec<Vec<String>>,
        now: Instant,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        while let Some(round) = self.rounds.front_mut() {
            let Some(answer) = round.look(asked, now) else { break };
            let Err(reason) = answer else {
                self.rounds.pop_front();
                self.awaits_port = false;
                continue;
            };
            match round.failure(&reason) {
                None => {
                    findings.push(Finding::Warning(format!(
                        "not ready yet: did not {} ({reason})",
                        round.check()
                    )));
                    self.last = Some(reason);
                }
                Some(failure) => {
                    failures.extend(command_of(round.check()));
                    if !round.check().only_warns {
                        return vec![Finding::NotReady(failure)];
                    }
                    findings.push(Finding::Warning(format!("{WARNING}{failure}")));
                    self.rounds.pop_front();
                }
            }
        }
        let is_ripe = self.ripe.is_none_or(|ripe| ripe <= now);
        if self.rounds.is_empty() && !self.awaits_word && is_ripe {
            findings.push(Finding::Ready);
        } else if self.deadline.is_some_and(|deadline| deadline <= now) {
            findings.push(Finding::NotReady(self.late(asked)));
        } else if let Some(port) = asked.port.filter(|_| self.awaits_port)
            && self.tells.take_if(|at| *at <= now).is_some()
        {
            findings.push(Finding::Warning(format!("not ready yet: {}", asked.missing(port))));
        }
        findings
    }

    fn late(&self, asked: &mut Asked<'_, '_>) -> String {
        let seconds = self.allowed.as_secs_f64();
        if let Some(port) = asked.port.filter(|_| self.awaits_port) {
            let missing = asked.missing(port);
            if self.only_tells {
                return format!("{missing} after {seconds} s");
            }
            return format!("{} after {seconds} s; {}", missing.of_instance(), asked.way_out(&missing));
        }
        match (self.rounds.front().map(Round::check), &self.last) {
            (Some(check), Some(reason)) => format!("did not {check} within {seconds} s ({reason})"),
            (Some(check), None) => format!("did not {check} within {seconds} s"),
            (None, _) => format!("did not say READY=1 within {seconds} s"),
        }
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let round = self.rounds.front().map(|round| round.due(now));
        let tells = self.tells.filter(|_| self.awaits_port);
        [round, tells, self.ripe, self.deadline].into_iter().flatten().min()
    }
}

impl RepeatedCheck {
    /// Whether the run cannot become ready before this is done.
    fn is_in_the_way(&self) -> bool {
        !self.is_liveness && self.has_failed && !self.round.check().only_warns
    }

    fn look(
        &mut self,
        asked: &mut Asked<'_, '_>,
        failures: &mut Vec<Vec<String>>,
        now: Instant,
    ) -> Option<Finding> {
        let Err(reason) = self.round.look(asked, now)? else {
            self.has_failed = false;
            return None;
        };
        let failure = self.round.failure(&reason)?;
        if std::mem::replace(&mut self.has_failed, true) {
            return None;
        }
        failures.extend(command_of(self.round.check()));
        Some(match (self.round.check().only_warns, self.is_liveness) {
            (true, _) => Finding::Warning(format!("{WARNING}{failure}")),
            (false, true) => Finding::Unhealthy(failure),
            (false, false) => Finding::Unready(failure),
        })
    }
}

/// Of a run that is not ready in time, that it counts as ready all the same.
fn only_tell(finding: Finding) -> Vec<Finding> {
    match finding {
        Finding::NotReady(reason) => vec![Finding::Ready, Finding::Warning(format!("{NOT_READY}{reason}"))],
        other @ (Finding::Ready
        | Finding::Unready(_)
        | Finding::Unhealthy(_)
        | Finding::Silent(_)
        | Finding::Warning(_)) => vec![other],
    }
}

fn as_they_are_asked(health: &Health) -> Checks {
    let mut checks = health.checks.clone();
    if !health.asks_own_ports {
        let all = [&mut checks.startup, &mut checks.liveness, &mut checks.readiness];
        all.into_iter().flatten().for_each(|check| check.port = None);
    }
    checks
}

fn command_of(check: &Check) -> Option<Vec<String>> {
    Some(check.on_failure.clone()).filter(|words| !words.is_empty())
}

/// A look at a port does not disturb the program, so it is looked at all the time instead of in tries with pauses between them.
fn look_at_the_port_all_along(check: &mut Check) {
    if check.ask == Ask::Listen {
        (check.timeout, check.attempts) = (check.longest(), 1);
    }
}

/// The implicit check of a type without checks of its own: its port is listened on.
fn listening() -> Check {
    let (on_failure, only_warns, wait, port) = Default::default();
    let initial_delay = Duration::ZERO;
    let timeout = PATIENCE;
    Check { ask: Ask::Listen, attempts: 1, timeout, wait, initial_delay, only_warns, on_failure, port }
}
