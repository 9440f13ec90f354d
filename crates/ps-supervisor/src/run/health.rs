//! The checks of a run and what follows from their results.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use env_files::Environment;
use formation::{Exit, LifeStep, RestartPolicy};
use os_process::{Census, ProcessId};
use ps_rollout::Role;

use super::Run;
use super::checking::Checking;
use super::end::{Cause, Failing};
use crate::confinement::Confinement;
use crate::health::{
    Asked, CommandTry, Finding, Health, Killer, Monitor, Notice, Runner, SILENT, SPEAKS_FIRST, Surroundings,
    UNHEALTHY,
};
use crate::means::Means;
use crate::news::News;
use crate::process::Process;
use crate::run_name::RunName;
use crate::run_table::{RunEvent, RunState};
use crate::spec::Spec;

/// The number of the first `on_failure` command of a run; its checks have lower ones.
const UNHEARD: usize = 1000;
/// How long an `on_failure` command may run.
const UNHEARD_TIME: Duration = Duration::from_secs(30);

const RELOADS: &str = "it reads its configuration anew";

impl Run {
    /// Begins the checks that a spec asks for. A spec of an earlier version asks for none: a run is ready as soon as its
    /// process lives.
    pub(crate) fn begin_health(&mut self, spec: &Spec, means: &mut Means) {
        self.limit_time(spec);
        let health = spec.process(&self.status.slot.process_type).and_then(|process| process.health.as_ref());
        match health {
            Some(health) => self.begin_checking(health, spec, means),
            None => self.handle(RunEvent::Ready, means),
        }
    }

    #[inline(never)]
    fn begin_checking(&mut self, health: &Health, spec: &Spec, means: &mut Means) {
        if self.state == RunState::Unready && health.checks.readiness.is_empty() {
            // The spec has no readiness check any more that could say that the run is ready again.
            self.handle(RunEvent::Ready, means);
        }
        let monitor = Monitor::new(health, self.state, Instant::now());
        let surroundings = health.checks.run_commands().then(|| {
            let environment = means.environments.of(spec, &self.status.slot, self.status.port)?;
            let confinement = spec.settings(&self.status.slot.process_type).and_then(Confinement::of);
            Ok(Surroundings { directory: spec.directory.clone(), environment, confinement })
        });
        let is_told = health.is_told();
        if is_told {
            // A run that was taken over uses the notify socket already. If it cannot be made anew, the watchdog will report
            // it.
            let _ = means.notify_socket();
        }
        let is_needed = monitor.is_needed() || is_told;
        self.checking = is_needed.then(|| Box::new(Checking { monitor, surroundings, is_told }));
    }

    /// Whether the run has checks or a watchdog.
    pub(crate) fn is_checked(&self) -> bool {
        self.checking.is_some()
    }

    /// Continues the checks and acts on their results.
    #[inline(never)]
    pub(super) fn look_at_health(&mut self, now: Instant, means: &mut Means) {
        let Some(mut checking) = self.checking.take() else { return };
        let name = RunName { slot: self.status.slot.clone(), number: self.number() };
        let (census, ending) = (&mut means.census, &mut means.ending);
        let mut killer = Killer { census, ending };
        if !matches!(self.state, RunState::Starting | RunState::Ready | RunState::Unready) {
            let is_told = checking.is_told;
            checking.monitor.give_up(&mut killer);
            // A run that is ending may still send `EXTEND_TIMEOUT_USEC`.
            self.checking = (is_told && self.state.is_live()).then_some(checking);
            return;
        }
        let nowhere = Err("nothing is known of its surroundings".to_owned());
        let surroundings =
            checking.surroundings.as_ref().map_or(nowhere, |known| known.as_ref().map_err(Clone::clone));
        let mut runner = Runner {
            service: &means.service,
            cgroups: means.cgroups.as_ref(),
            open_files: means.descriptors.inherited,
            run: name,
            surroundings,
            killer,
        };
        let mut asked = Asked {
            port: self.status.port,
            born: checking.monitor.born(),
            tree: &self.tree,
            main: self.process.as_ref().map(Process::pid),
            is_starting: self.state == RunState::Starting,
            listeners: &mut means.listeners,
            runner: &mut runner,
            spec: &means.spec,
        };
        let findings = checking.monitor.look(&mut asked, now);
        for (index, words) in checking.monitor.take_failures().into_iter().enumerate() {
            // If the command cannot be started, that is not reported: the failure that it was started for is.
            let command = CommandTry::begin_unheard(&words, UNHEARD + index, UNHEARD_TIME, &runner, now);
            means.unheard.extend(command.ok());
        }
        if checking.monitor.is_needed() || checking.is_told {
            self.checking = Some(checking);
        }
        for finding in findings {
            self.take_finding(finding, means);
        }
    }

    fn take_finding(&mut self, finding: Finding, means: &mut Means) {
        match finding {
            Finding::Ready => {
                self.status.reason = None;
                self.record(LifeStep::Ready, None, means);
                self.handle(RunEvent::Ready, means);
                means.news.tell(News::Ready, &self.status.slot, self.number());
            }
            Finding::Unready(reason) => {
                self.status.reason = Some(format!("not ready: {reason}"));
                self.record_answer(LifeStep::Unready, &reason, means);
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
            Finding::Unhealthy(reason) if self.is_only_told_of(means) => {
                self.status.note = Some(format!("{UNHEALTHY}{reason}"));
                self.changed = true;
            }
            Finding::Silent(reason) if self.is_only_told_of(means) => {
                self.status.note = Some(format!("{SILENT}{reason}"));
                self.changed = true;
            }
            Finding::Unhealthy(reason) => self.fail(Failing::Unhealthy, &reason, means),
            Finding::Silent(reason) => self.fail(Failing::Watchdog, &reason, means),
        }
    }

    /// Whether it runs on where a liveness check has failed.
    fn is_only_told_of(&self, means: &Means) -> bool {
        let process_type = &self.status.slot.process_type;
        let health = means.spec.process(process_type).and_then(|process| process.health.as_ref());
        health.is_some_and(|health| health.only_tells) && means.spec.policy(process_type) == RestartPolicy::No
    }

    /// The run failed a check. If it is the new run of a rollout, the rollout decides; any other one is ended.
    pub(super) fn fail(&mut self, failing: Failing, reason: &str, means: &mut Means) {
        let said = format!("{}: {reason}", failing.as_str());
        self.record_answer(LifeStep::CheckFailed, &said, means);
        self.status.reason = Some(said);
        self.changed = true;
        if self.status.role == Some(Role::Incoming) {
            means.news.tell(News::NotReady(reason.to_owned()), &self.status.slot, self.number());
        } else {
            self.cause = Some(Cause::Failed(failing));
            self.handle(RunEvent::End, means);
        }
    }

    /// Its process could not be brought into its cgroup, and was killed.
    pub(crate) fn fail_outside(&mut self, reason: &str, means: &mut Means) {
        let reason = format!("could not be brought into its cgroup: {reason}");
        self.fail(Failing::NotReady, &reason, means);
    }

    /// Adds `NOTIFY_SOCKET` and `WATCHDOG_USEC` where the type uses them.
    pub(super) fn told_where(
        &self,
        mut environment: Environment,
        spec: &Spec,
        means: &mut Means,
    ) -> Result<Environment, String> {
        let health = spec.process(&self.status.slot.process_type).and_then(|process| process.health.as_ref());
        let Some(health) = health.filter(|health| health.is_told()) else { return Ok(environment) };
        environment.set("NOTIFY_SOCKET", means.notify_socket()?.path());
        if let Some(period) = health.watchdog {
            environment.set("WATCHDOG_USEC", period.as_micros().to_string());
        }
        Ok(environment)
    }

    /// Whether its processes were given `NOTIFY_SOCKET`.
    pub(crate) fn is_told(&self) -> bool {
        self.checking.as_ref().is_some_and(|checking| checking.is_told)
    }

    /// Whether a process belongs to this run.
    pub(crate) fn has_process(&self, pid: u32, census: &mut Census) -> bool {
        let main = self.process.as_ref().map(Process::pid);
        main == Some(pid) || self.tree.pids(main, census).contains(&pid)
    }

    /// Acts on a message that a process of this run sent to the notify socket.
    pub(crate) fn hear(&mut self, notice: Notice, means: &mut Means) {
        let now = Instant::now();
        let Some(checking) = &mut self.checking else { return };
        let monitor = &mut checking.monitor;
        match notice {
            Notice::Ready => {
                monitor.hear_ready();
                if self.status.says.as_deref() == Some(RELOADS) {
                    self.say(None);
                }
            }
            Notice::Reloading => self.say(Some(RELOADS.to_owned())),
            Notice::Stopping => self.say(Some("it is ending by itself".to_owned())),
            Notice::Says(text) => self.say(Some(text).filter(|text| !text.is_empty())),
            Notice::Alive => monitor.hear_alive(now),
            Notice::Period(period) => monitor.hear_period(period, now),
            Notice::Trigger if monitor.hear_trigger() => {
                self.fail(Failing::Watchdog, "it said WATCHDOG=trigger", means);
            }
            Notice::Trigger => (),
            Notice::Extend(time) => {
                monitor.extend(time, now);
                // The run's own deadline is the earlier one, because the run can say what it has not done.
                let time = time.saturating_add(SPEAKS_FIRST);
                means.news.tell(News::Extended(time), &self.status.slot, self.status.run);
                if self.state == RunState::Terminating {
                    let longer = |due: Instant| now.checked_add(time).map_or(due, |asked| asked.max(due));
                    self.timer = self.timer.map(longer);
                }
            }
            Notice::MainPid(pid) => self.take_main(pid, &mut means.census),
            Notice::Program(pid) => {
                let program = self.has_process(pid, &mut means.census).then(|| ProcessId::of(pid)).flatten();
                self.changed |= self.status.program != program;
                self.status.program = program;
            }
        }
    }

    fn say(&mut self, text: Option<String>) {
        self.changed |= self.status.says != text;
        self.status.says = text;
    }

    /// `MAINPID`: another process of the run's own tree becomes its main process.
    fn take_main(&mut self, pid: u32, census: &mut Census) {
        let is_other = self.process.as_ref().is_some_and(|process| process.pid() != pid);
        let is_own = is_other && !self.state.is_ending() && self.has_process(pid, census);
        let Some(id) = is_own.then(|| ProcessId::of(pid)).flatten() else { return };
        let Some(process) = self.process.take() else { return };
        let became = process.become_main(&id);
        self.has_new_main = became.is_ok();
        let process = became.unwrap_or_else(|before| before);
        self.status.process = Some(process.id().clone());
        self.process = Some(process);
        self.changed = true;
    }

    /// The descriptor that shows the end of its new main process, if the event loop does not watch that yet.
    pub(crate) fn take_new_main(&mut self) -> Option<BorrowedFd<'_>> {
        let is_new = std::mem::take(&mut self.has_new_main);
        self.process.as_ref().filter(|_| is_new)?.pidfd()
    }

    /// A child has exited; whether it was a check command of this run.
    pub(crate) fn reap_check(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.checking.as_mut().is_some_and(|checking| checking.monitor.reap(pid, exit))
            || self.stop_command.as_mut().is_some_and(|command| command.reap(pid, exit))
    }

    /// Descriptors of its checks that the event loop does not watch yet.
    pub(crate) fn unwatched_checks(&mut self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.checking.iter_mut().flat_map(|checking| checking.monitor.unwatched())
    }

    pub(super) fn health_due(&self, now: Instant) -> Option<Instant> {
        self.checking.as_ref()?.monitor.due(now)
    }
}
