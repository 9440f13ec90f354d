//! When a process that ended by itself is started again. Pure: exits and durations in, verdicts and delays out.

use std::time::Duration;

use ps_scheduler::{Exit, RestartPolicy};

use crate::transition::Verdict;

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

    /// Whether the process is started again. `exit` is `None` for an adopted process, whose end nobody could see: that
    /// counts as a failure.
    pub(crate) fn verdict(self, policy: RestartPolicy, exit: Option<Exit>) -> Verdict {
        let is_success = exit.is_some_and(Exit::is_success);
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

    /// The delay before the next start: 100 ms, doubled with each death in a row, 60 s at most, give or take a tenth.
    /// `jitter` is any number; equal numbers give equal delays.
    pub(crate) fn delay(self, jitter: u64) -> Duration {
        let doublings = self.in_row.saturating_sub(1).min(16);
        let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
        let permille = u32::try_from(jitter % 201).unwrap_or(0) + 900;
        delay * permille / 1000
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
            assert_eq!(after(deaths).verdict(policy, exit), verdict, "{policy} {exit:?} {deaths}");
        }
    }
}
