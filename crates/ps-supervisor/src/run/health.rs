//! What is asked of a run, and what follows from the answers.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use formation::Exit;
use ps_rollout::Role;

use super::{Cause, Failing, Run};
use crate::health::{Asked, CommandTry, Finding, Health, Killer, Monitor, Runner, Surroundings};
use crate::means::Means;
use crate::news::News;
use crate::run_name::RunName;
use crate::run_table::{RunEvent, RunState};
use crate::spec::Spec;

/// The number of the first command among those of a run that is no check of it.
const UNHEARD: usize = 1000;

/// A run that something is asked of.
#[derive(Debug)]
pub(super) struct Watched {
    monitor: Monitor,
    /// What its commands are started with; why they cannot be.
    surroundings: Option<Result<Surroundings, String>>,
}

impl Run {
    /// Begins to ask what a spec wants to be asked. Of a type of which a spec of an earlier version tells, nothing is: its runs are
    /// ready as soon as they live.
    pub(crate) fn begin_health(&mut self, spec: &Spec, means: &mut Means) {
        let health = spec.process(&self.status.slot.process_type).and_then(|process| process.health.as_ref());
        match health {
            Some(health) => self.watch(health, spec, means),
            None => self.handle(RunEvent::Ready, means),
        }
    }

    fn watch(&mut self, health: &Health, spec: &Spec, means: &mut Means) {
        if self.state == RunState::Unready && health.checks.readiness.is_empty() {
            // Nothing says any more that it is not.
            self.handle(RunEvent::Ready, means);
        }
        let monitor = Monitor::new(health, self.state, Instant::now());
        let surroundings = health.checks.run_commands().then(|| {
            let environment = means.environments.of(spec, &self.status.slot, self.status.port)?;
            Ok(Surroundings { directory: spec.directory.clone(), environment })
        });
        self.watched = monitor.is_needed().then(|| Box::new(Watched { monitor, surroundings }));
    }

    /// Whether it is known how it becomes ready.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Asks on, and does what follows from the answers.
    pub(super) fn look_at_health(&mut self, now: Instant, means: &mut Means) {
        let Some(mut watched) = self.watched.take() else { return };
        let name = RunName { slot: self.status.slot.clone(), number: self.number() };
        let (census, ending) = (&mut means.census, &mut means.ending);
        let mut killer = Killer { census, ending };
        if !matches!(self.state, RunState::Starting | RunState::Ready | RunState::Unready) {
            return watched.monitor.give_up(&mut killer);
        }
        let nowhere = Err("nothing is known of its surroundings".to_owned());
        let surroundings =
            watched.surroundings.as_ref().map_or(nowhere, |known| known.as_ref().map_err(Clone::clone));
        let mut runner = Runner {
            service: &means.service,
            cgroups: means.cgroups.as_ref(),
            open_files: means.descriptors.inherited,
            run: name,
            surroundings,
            killer,
        };
        let (port, born) = (self.status.port, watched.monitor.born());
        let mut asked = Asked { port, born, listeners: &mut means.listeners, runner: &mut runner };
        let findings = watched.monitor.look(&mut asked, now);
        for (index, words) in watched.monitor.take_failures().into_iter().enumerate() {
            // What cannot be started is no news beside what it was to be started for.
            means.unheard.extend(CommandTry::begin_unheard(&words, UNHEARD + index, &runner, now).ok());
        }
        if watched.monitor.is_needed() {
            self.watched = Some(watched);
        }
        for finding in findings {
            self.take_finding(finding, means);
        }
    }

    fn take_finding(&mut self, finding: Finding, means: &mut Means) {
        match finding {
            Finding::Ready => {
                self.status.reason = None;
                self.handle(RunEvent::Ready, means);
                means.news.tell(News::Ready, &self.status.slot, self.number());
            }
            Finding::Unready(reason) => {
                self.status.reason = Some(format!("not ready: {reason}"));
                self.handle(RunEvent::Unready, means);
            }
            Finding::Warning(reason) => {
                let place = if self.state == RunState::Starting {
                    &mut self.status.reason
                } else {
                    &mut self.status.note
                };
                self.changed |= place.as_ref() != Some(&reason);
                *place = Some(reason);
            }
            Finding::NotReady(reason) => self.fail(Failing::NotReady, &reason, means),
            Finding::Unhealthy(reason) => self.fail(Failing::Unhealthy, &reason, means),
            Finding::Silent(reason) => self.fail(Failing::Watchdog, &reason, means),
        }
    }

    /// It does not do what it was started for. A run that comes in is the rollout's to judge, and any other one ends.
    pub(super) fn fail(&mut self, failing: Failing, reason: &str, means: &mut Means) {
        self.status.reason = Some(format!("{}: {reason}", failing.as_str()));
        self.changed = true;
        if self.status.role == Some(Role::Incoming) {
            means.news.tell(News::NotReady(reason.to_owned()), &self.status.slot, self.number());
        } else {
            self.cause = Some(Cause::Failed(failing));
            self.handle(RunEvent::End, means);
        }
    }

    /// A child of ours has ended; whether it was a check of this run.
    pub(crate) fn reap_check(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.watched.as_mut().is_some_and(|watched| watched.monitor.reap(pid, exit))
    }

    /// Descriptors of its checks that are to be watched from now on.
    pub(crate) fn unwatched_checks(&mut self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.watched.iter_mut().flat_map(|watched| watched.monitor.unwatched())
    }

    pub(super) fn health_due(&self, now: Instant) -> Option<Instant> {
        self.watched.as_ref()?.monitor.due(now)
    }
}
