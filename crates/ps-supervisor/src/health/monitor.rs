//! One run, from its start until nothing of it is to be asked any more.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use formation::Exit;
use ps_probe::{Ask, Check};

use super::command::Killer;
use super::round::{Asked, Round};
use super::{Health, LEAST_LIFE, Ready};
use crate::run_table::RunState;

/// How long a port is waited for at a time; its deadline is that of the whole start.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// What was found out about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is ready.
    Ready,
    /// It is not ready, and will not become so.
    NotReady(String),
    /// It was ready, and is not any more.
    Unready(String),
    /// It does not live as it should.
    Unhealthy(String),
    /// It has not said for too long that it lives.
    Silent(String),
    /// A check has failed from which nothing follows; a try has failed, and there is another one.
    Warning(String),
}

/// What is asked of one run, and what has come of it.
#[derive(Debug)]
pub(crate) struct Monitor {
    born: Instant,
    startup: Option<Startup>,
    watches: Vec<Watch>,
    watchdog: Option<(Duration, Option<Instant>)>,
    /// Commands that are run because a check has failed.
    failures: Vec<Vec<String>>,
}

/// What must come true before a run is ready.
#[derive(Debug)]
struct Startup {
    rounds: VecDeque<Round>,
    /// Whether it has to say that it is ready.
    awaits_word: bool,
    /// When it has lived for long enough.
    ripe: Option<Instant>,
    deadline: Option<Instant>,
    allowed: Duration,
    /// Why the last try failed.
    last: Option<String>,
}

/// A check that goes on.
#[derive(Debug)]
struct Watch {
    round: Round,
    is_liveness: bool,
    has_failed: bool,
}

impl Monitor {
    /// Of a run that was just started, or, where it was ready before, that is to be watched from now on.
    pub(crate) fn new(health: &Health, state: RunState, now: Instant) -> Self {
        let is_ready = state != RunState::Starting;
        let checks = &health.checks;
        let first = |check: &Check| now.checked_add(check.initial_delay).unwrap_or(now);
        let mut startup: Vec<Check> = checks.startup.clone();
        if health.ready == Ready::Listening {
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
        let watch = |(index, (is_liveness, check)): (usize, (bool, &Check))| {
            let begin = now.checked_add(check.initial_delay.max(check.wait)).unwrap_or(now);
            Watch {
                round: Round::new(check.clone(), watched + index, begin),
                is_liveness,
                has_failed: state == RunState::Unready,
            }
        };
        let watches = all.enumerate().map(watch).collect();
        let allowed = health.deadline.unwrap_or_default();
        let ripe = (rounds.is_empty() && health.ready == Ready::Alive).then(|| now + LEAST_LIFE);
        let startup = Startup {
            rounds,
            awaits_word: health.ready == Ready::Notify,
            ripe,
            deadline: health.deadline.and_then(|allowed| now.checked_add(allowed)),
            allowed,
            last: None,
        };
        let watchdog = health.watchdog.map(|period| (period, is_ready.then(|| now + period)));
        let startup = (!is_ready).then_some(startup);
        Self { born: now, startup, watches, watchdog, failures: Vec::new() }
    }

    /// When its run was started, as far as this supervisor knows.
    pub(crate) fn born(&self) -> Instant {
        self.born
    }

    /// Whether there is anything left to look at.
    pub(crate) fn is_needed(&self) -> bool {
        self.startup.is_some() || !self.watches.is_empty() || self.watchdog.is_some()
    }

    /// Goes on as far as it can, and says what came of it.
    pub(crate) fn look(&mut self, asked: &mut Asked<'_, '_>, now: Instant) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(startup) = &mut self.startup {
            let found = startup.look(asked, &mut self.failures, now);
            let is_over = found.iter().any(|found| matches!(found, Finding::Ready | Finding::NotReady(_)));
            findings.extend(found);
            if is_over {
                self.startup = None;
                self.begin_watching(now);
            }
            return findings;
        }
        let was_ready = !self.watches.iter().any(Watch::is_in_the_way);
        for watch in &mut self.watches {
            findings.extend(watch.look(asked, &mut self.failures, now));
        }
        if !was_ready && !self.watches.iter().any(Watch::is_in_the_way) {
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

    fn begin_watching(&mut self, now: Instant) {
        for watch in &mut self.watches {
            watch.round.begin_anew(now);
        }
        if let Some((period, due)) = &mut self.watchdog {
            *due = now.checked_add(*period);
        }
    }

    /// The commands that are to be run because a check has failed.
    pub(crate) fn take_failures(&mut self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.failures)
    }

    /// A child of ours has ended; whether it was a check.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.rounds_mut().any(|round| round.reap(pid, exit))
    }

    /// Nothing is asked any more.
    pub(crate) fn give_up(&mut self, killer: &mut Killer<'_>) {
        let startup = self.startup.take().into_iter().flat_map(|startup| startup.rounds);
        for round in startup.chain(self.watches.drain(..).map(|watch| watch.round)) {
            round.give_up(killer);
        }
    }

    /// Descriptors that are to be watched from now on.
    pub(crate) fn unwatched(&mut self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.rounds_mut().filter_map(Round::unwatched)
    }

    /// The checks that are being asked.
    fn rounds_mut(&mut self) -> impl Iterator<Item = &mut Round> {
        let startup = self.startup.as_mut().and_then(|startup| startup.rounds.front_mut());
        let is_ready = startup.is_none();
        let watches = self.watches.iter_mut().filter(move |_| is_ready).map(|watch| &mut watch.round);
        startup.into_iter().chain(watches)
    }

    /// When it is to be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if let Some(startup) = &self.startup {
            return startup.due(now);
        }
        let watches = self.watches.iter().map(|watch| watch.round.due(now));
        watches.chain(self.watchdog.and_then(|(_, due)| due)).min()
    }
}

/// What the run says of itself.
impl Monitor {
    /// It says that it is ready.
    pub(crate) fn hear_ready(&mut self) {
        if let Some(startup) = &mut self.startup {
            startup.awaits_word = false;
        }
    }

    /// It says that it lives.
    pub(crate) fn hear_alive(&mut self, now: Instant) {
        if let Some((period, Some(due))) = &mut self.watchdog {
            *due = now.checked_add(*period).unwrap_or(*due);
        }
    }

    /// It says how often it will say that it lives.
    pub(crate) fn hear_period(&mut self, period: Duration, now: Instant) {
        let is_ready = self.startup.is_none();
        self.watchdog = (!period.is_zero()).then(|| (period, is_ready.then(|| now + period)));
    }

    /// It says that it does not live as it should; whether that means anything.
    pub(crate) fn hear_trigger(&mut self) -> bool {
        self.watchdog.take().is_some()
    }

    /// It asks for that much time from now on, for whatever it is about.
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
                continue;
            };
            match round.verdict(&reason) {
                None => {
                    findings.push(Finding::Warning(format!(
                        "not ready yet: did not {} ({reason})",
                        round.check()
                    )));
                    self.last = Some(reason);
                }
                Some(verdict) => {
                    failures.extend(command_of(round.check()));
                    if !round.check().only_warns {
                        return vec![Finding::NotReady(verdict)];
                    }
                    findings.push(Finding::Warning(format!("warning: {verdict}")));
                    self.rounds.pop_front();
                }
            }
        }
        let is_ripe = self.ripe.is_none_or(|ripe| ripe <= now);
        if self.rounds.is_empty() && !self.awaits_word && is_ripe {
            findings.push(Finding::Ready);
        } else if self.deadline.is_some_and(|deadline| deadline <= now) {
            findings.push(Finding::NotReady(self.late(asked.port)));
        }
        findings
    }

    fn late(&self, port: Option<u16>) -> String {
        let seconds = self.allowed.as_secs_f64();
        let port = port.map(|port| format!(" {port}")).unwrap_or_default();
        match (self.rounds.front().map(Round::check), &self.last) {
            (Some(check), Some(reason)) => format!("did not {check} within {seconds} s ({reason})"),
            (Some(Check { ask: Ask::Listen, .. }), None) => {
                format!("did not listen on its port{port} within {seconds} s")
            }
            (Some(check), None) => format!("did not {check} within {seconds} s"),
            (None, _) => format!("did not say READY=1 within {seconds} s"),
        }
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let round = self.rounds.front().map(|round| round.due(now));
        [round, self.ripe, self.deadline].into_iter().flatten().min()
    }
}

impl Watch {
    /// Whether it keeps its run from being ready.
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
        let verdict = self.round.verdict(&reason)?;
        if std::mem::replace(&mut self.has_failed, true) {
            return None;
        }
        failures.extend(command_of(self.round.check()));
        Some(match (self.round.check().only_warns, self.is_liveness) {
            (true, _) => Finding::Warning(format!("warning: {verdict}")),
            (false, true) => Finding::Unhealthy(verdict),
            (false, false) => Finding::Unready(verdict),
        })
    }
}

fn command_of(check: &Check) -> Option<Vec<String>> {
    Some(check.on_failure.clone()).filter(|words| !words.is_empty())
}

/// To look at a port disturbs nobody: there are no pauses in that.
fn look_at_the_port_all_along(check: &mut Check) {
    if check.ask == Ask::Listen {
        (check.timeout, check.attempts) = (check.longest(), 1);
    }
}

/// What the port of a type must do of which nothing else is asked.
fn listening() -> Check {
    let (on_failure, only_warns, wait) = Default::default();
    let initial_delay = Duration::ZERO;
    Check { ask: Ask::Listen, attempts: 1, timeout: PATIENCE, wait, initial_delay, only_warns, on_failure }
}
