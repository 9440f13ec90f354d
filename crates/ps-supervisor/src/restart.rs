//! Decides whether and when a process that ended by itself is started again. Pure functions of exits and durations. All
//! times count from boot, so that setting the clock changes nothing.
//!
//! For example, an instance that has lived for an hour and dies is started again at once. The new one dies within a second,
//! and so do its successors: they are started after 100 ms, 200 ms, 400 ms and so on, up to a minute, until one lives for 10 s.

use std::time::Duration;

use formation::{Exit, RestartPolicy, RestartReason};
use serde::{Deserialize, Serialize};
use type_settings::{Exits, StartLimit, TypeSettings};

use crate::seat_table::AfterDeath;

/// The record of deaths that a seat's restart policy uses. It is stored in the slot's status, so that another supervisor
/// continues it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deaths {
    /// Deaths since the last instance that was stable, that one's included.
    #[serde(default)]
    in_row: u32,
    /// Whether the first of these deaths ended a stable instance, which is restarted without a delay.
    #[serde(default)]
    was_stable: bool,
    /// If a limit of starts is set: the times of the latest restarts, in milliseconds since boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    starts: Vec<u64>,
    /// When the instance will be started again, in milliseconds since boot, if it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<u64>,
    /// Why it is started again, from its death until it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<RestartReason>,
    /// The boot that these times refer to.
    #[serde(default)]
    boot: String,
}

/// The end of a process that was not told to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// How long it has lived.
    pub(crate) lifetime: Duration,
    /// When it ended, since boot.
    pub(crate) at: Duration,
    /// How it ended; `None` if that is unknown.
    pub(crate) exit: Option<Exit>,
    /// Whether it was a job.
    pub(crate) is_job: bool,
    /// Why it ended, where its exit does not say: the supervisor ended it because it failed a check, the kernel killed it for want of
    /// memory, or it could not be started.
    pub(crate) why: Option<RestartReason>,
}

impl Death {
    /// Whether the supervisor ended it because it failed a check: a failure, whatever its exit status.
    pub(crate) fn has_failed(&self) -> bool {
        self.why == Some(RestartReason::Unhealthy)
    }
}

/// The restart rules of a process type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// The policy.
    pub(crate) policy: RestartPolicy,
    /// Delays, limits and success exit codes.
    pub(crate) settings: &'a TypeSettings,
}

impl Rules<'_> {
    /// Whether it runs by a schedule.
    pub(crate) fn are_of_schedule(self) -> bool {
        self.settings.schedule.is_some()
    }

    /// A run by schedule is over when it has ended. Only one that failed may be started again before the next one is due.
    fn of_schedule(self, decision: AfterDeath) -> AfterDeath {
        match (decision, self.policy) {
            (AfterDeath::Again, RestartPolicy::OnFailure(_)) => AfterDeath::Again,
            (AfterDeath::Again | AfterDeath::Await | AfterDeath::Rest | AfterDeath::GiveUp, _) => {
                AfterDeath::Await
            }
        }
    }

    /// Whether a process that ended has done what it was started for.
    pub(crate) fn are_met(self, death: &Death) -> bool {
        let TypeSettings { success_exit_codes, failure_exit_codes, .. } = self.settings;
        let lists = |exits: &Option<Exits>, exit| exits.as_ref().is_some_and(|exits| exits.include(exit));
        let is_good = |exit: Exit| {
            !lists(failure_exit_codes, exit) && (exit.is_success() || lists(success_exit_codes, exit))
        };
        !death.has_failed() && death.exit.map_or(death.is_job, is_good)
    }
}

impl Deaths {
    /// The record of an earlier supervisor, or an empty one if it is of another boot than `boot`.
    pub(crate) fn carried_on(self, boot: &str) -> Self {
        if self.boot == boot { self } else { Self { boot: boot.to_owned(), ..Self::default() } }
    }

    /// Whether the record is empty.
    pub(crate) fn is_nothing(&self) -> bool {
        self.in_row == 0 && self.starts.is_empty() && self.due.is_none() && self.why.is_none()
    }

    /// Counts a death, and says whether the process is started again.
    pub(crate) fn judge(&mut self, death: &Death, rules: Rules<'_>) -> AfterDeath {
        self.due = None;
        // What ends after its work is never stable: each of its failures counts.
        let is_stable = !rules.are_of_schedule() && death.lifetime >= rules.settings.stable_after();
        (self.in_row, self.was_stable) = if is_stable {
            (1, true)
        } else {
            (self.in_row.saturating_add(1), self.was_stable && self.in_row > 0)
        };
        let decision = match self.by_policy(death, rules) {
            AfterDeath::Again if self.is_beyond_limit(death.at, rules.settings) => AfterDeath::GiveUp,
            decision => decision,
        };
        let decision = if rules.are_of_schedule() { rules.of_schedule(decision) } else { decision };
        let why = death.why.unwrap_or_else(|| RestartReason::of_exit(death.exit, rules.are_met(death)));
        self.why = (decision == AfterDeath::Again).then_some(why);
        decision
    }

    /// What the restart policy says about a death. If it is unknown how the process ended, a service counts as failed,
    /// and a job as finished.
    fn by_policy(&self, death: &Death, rules: Rules<'_>) -> AfterDeath {
        let is_success = rules.are_met(death);
        match rules.policy {
            RestartPolicy::No | RestartPolicy::OnFailure(_) if is_success => AfterDeath::Rest,
            RestartPolicy::No => AfterDeath::GiveUp,
            RestartPolicy::OnFailure(Some(retries)) if self.in_row > retries => AfterDeath::GiveUp,
            RestartPolicy::OnFailure(_) | RestartPolicy::Always | RestartPolicy::UnlessStopped => {
                AfterDeath::Again
            }
        }
    }

    fn is_beyond_limit(&mut self, at: Duration, settings: &TypeSettings) -> bool {
        let Some(limit) = settings.start_limit else {
            self.starts.clear();
            return false;
        };
        let (at, within) = (millis(at), millis(limit.within()));
        self.starts.retain(|start| at.saturating_sub(*start) <= within);
        let is_beyond = self.starts.len() >= limit.starts().try_into().unwrap_or(usize::MAX);
        if !is_beyond {
            self.starts.push(at);
        }
        is_beyond
    }

    /// The limit of starts, if it has been reached.
    pub(crate) fn reached_limit(&self, rules: Rules<'_>) -> Option<StartLimit> {
        let is_reached =
            |limit: &StartLimit| self.starts.len() >= limit.starts().try_into().unwrap_or(usize::MAX);
        rules.settings.start_limit.filter(is_reached)
    }

    /// The delay before the next start, varied by up to a tenth; none after a stable life. `jitter` is any number; the same
    /// number gives the same delay.
    pub(crate) fn delay(&self, settings: &TypeSettings, jitter: u64) -> Duration {
        let delay = self.nominal_delay(settings);
        let permille = u32::try_from(jitter % 201).unwrap_or(0) + 900;
        delay * permille / 1000
    }

    /// That delay before it is varied.
    pub(crate) fn nominal_delay(&self, settings: &TypeSettings) -> Duration {
        settings.delay_after(self.in_row.saturating_sub(u32::from(self.was_stable)))
    }

    /// How many deaths there were since the last instance that was stable, that one's included.
    pub(crate) fn in_row(&self) -> u32 {
        self.in_row
    }

    /// Why it is started again, as it is. Returned only once.
    pub(crate) fn take_why(&mut self) -> Option<RestartReason> {
        self.why.take()
    }

    /// Records when it will be started again; `None`: it does not wait any more.
    pub(crate) fn wait_until(&mut self, due: Option<Duration>) {
        self.due = due.map(millis);
    }

    /// How much longer it has to wait; `now` is the time since boot.
    pub(crate) fn waits(&self, now: Duration) -> Option<Duration> {
        self.due.map(|due| Duration::from_millis(due.saturating_sub(millis(now))))
    }
}

/// Whether a process is a job: it is meant to end, and must not run twice just because its end is unknown. With the policy
/// `no` every process is a job; with `on-failure`, one that has succeeded before in the same release (`has_finished`).
pub(crate) fn is_job(policy: RestartPolicy, has_finished: bool) -> bool {
    match policy {
        RestartPolicy::No => true,
        RestartPolicy::OnFailure(_) => has_finished,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => false,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
