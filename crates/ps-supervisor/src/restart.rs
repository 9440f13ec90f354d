//! When a process that ended by itself is started again. Pure: exits and durations in, verdicts and delays out.

use std::time::Duration;

use formation::{Exit, RestartPolicy};

use crate::seat_table::Verdict;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// An instance that lived this long is stable: what happened before it no longer counts.
const STABLE: Duration = Duration::from_secs(10);

/// The deaths of one seat since it was last stable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deaths {
    in_row: u32,
}

impl Deaths {
    /// Counts a death after `lifetime`.
    pub(crate) fn count(&mut self, lifetime: Duration) {
        self.in_row = if lifetime >= STABLE { 1 } else { self.in_row.saturating_add(1) };
    }

    /// Whether the process is started again. `exit` is `None` for a process whose end nobody could see: a service is
    /// taken to have failed, and a job (`is_job`) to have done what it was started for.
    pub(crate) fn verdict(self, policy: RestartPolicy, exit: Option<Exit>, is_job: bool) -> Verdict {
        let is_success = exit.map_or(is_job, Exit::is_success);
        let left = if is_success { Verdict::Rest } else { Verdict::GiveUp };
        match policy {
            RestartPolicy::No => left,
            RestartPolicy::OnFailure(_) if is_success => Verdict::Rest,
            RestartPolicy::OnFailure(Some(retries)) if self.in_row > retries => Verdict::GiveUp,
            RestartPolicy::OnFailure(_) | RestartPolicy::Always | RestartPolicy::UnlessStopped => {
                Verdict::Again
            }
        }
    }

    /// The same for a process that was ended because it did not do what it was started for, whatever its exit status.
    pub(crate) fn verdict_of_failure(self, policy: RestartPolicy) -> Verdict {
        match policy {
            RestartPolicy::No => Verdict::GiveUp,
            RestartPolicy::OnFailure(Some(retries)) if self.in_row > retries => Verdict::GiveUp,
            RestartPolicy::OnFailure(_) | RestartPolicy::Always | RestartPolicy::UnlessStopped => {
                Verdict::Again
            }
        }
    }

    /// The delay before the next start: 100 ms, doubled with each death in a row, 60 s at most, give or take a tenth.
    /// `jitter` is any number; equal numbers give equal delays.
    pub(crate) fn delay(self, jitter: u64) -> Duration {
        let doublings = self.in_row.saturating_sub(1).min(16);
        let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
        let permille = u32::try_from(jitter % 201).unwrap_or(0) + 900;
        delay * permille / 1000
    }
}

/// Whether a process is a job: one that is meant to end, and must not run twice because nobody saw its end. With the
/// policy `no` each one is; with `on-failure` one is that has ended with success before, in the same release (`has_finished`).
pub(crate) fn is_job(policy: RestartPolicy, has_finished: bool) -> bool {
    match policy {
        RestartPolicy::No => true,
        RestartPolicy::OnFailure(_) => has_finished,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIEF: Duration = Duration::from_millis(5);
    /// Jitter that neither adds nor takes.
    const MIDDLE: u64 = 100;

    #[test]
    fn ten_thousand_deaths_follow_the_schedule() {
        let mut deaths = Deaths::default();
        let mut elapsed = Duration::ZERO;
        let mut starts_in_ten_minutes = 0;
        for n in 1..=10_000_u32 {
            deaths.count(BRIEF);
            let expected = FIRST_DELAY.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_DELAY);
            assert_eq!(deaths.delay(MIDDLE), expected, "after death {n}");
            elapsed += expected;
            starts_in_ten_minutes += u32::from(elapsed <= Duration::from_secs(600));
        }
        assert!((16..=20).contains(&starts_in_ten_minutes), "{starts_in_ten_minutes}");
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let mut deaths = Deaths::default();
        deaths.count(BRIEF);
        for jitter in 0..1000 {
            assert!((90..=110).contains(&deaths.delay(jitter).as_millis()));
        }
    }

    #[test]
    fn a_stable_while_forgives() {
        let mut deaths = Deaths::default();
        (0..8).for_each(|_| deaths.count(BRIEF));
        deaths.count(STABLE);
        assert_eq!(deaths.delay(MIDDLE), FIRST_DELAY);
    }

    #[test]
    fn policies_decide_as_documented() {
        let (good, bad) = (Some(Exit::Code(0)), Some(Exit::Signal(9)));
        let after = |n: u32| {
            let mut deaths = Deaths::default();
            (0..n).for_each(|_| deaths.count(BRIEF));
            deaths
        };
        for (policy, exit, deaths, verdict) in [
            ("no", good, 1, Verdict::Rest),
            ("no", bad, 1, Verdict::GiveUp),
            ("always", good, 50, Verdict::Again),
            ("unless-stopped", bad, 50, Verdict::Again),
            ("on-failure", good, 1, Verdict::Rest),
            ("on-failure", bad, 50, Verdict::Again),
            ("on-failure:2", bad, 2, Verdict::Again),
            ("on-failure:2", bad, 3, Verdict::GiveUp),
            ("on-failure:2", None, 3, Verdict::GiveUp),
        ] {
            let policy: RestartPolicy = policy.parse().expect("a policy");
            assert_eq!(after(deaths).verdict(policy, exit, false), verdict, "{policy} {exit:?} {deaths}");
        }
    }

    #[test]
    fn an_end_that_nobody_saw_is_a_failure_of_a_service_and_the_end_of_a_job() {
        let mut deaths = Deaths::default();
        deaths.count(BRIEF);
        for (policy, has_finished, verdict) in [
            ("no", false, Verdict::Rest),
            ("on-failure:10", false, Verdict::Again),
            ("on-failure:10", true, Verdict::Rest),
            ("always", true, Verdict::Again),
            ("unless-stopped", true, Verdict::Again),
        ] {
            let policy: RestartPolicy = policy.parse().expect("a policy");
            let is_job = is_job(policy, has_finished);
            assert_eq!(deaths.verdict(policy, None, is_job), verdict, "{policy} {has_finished}");
        }
    }
}
