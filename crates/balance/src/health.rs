//! Backends that are skipped for a while because they refused a connection or did not answer. No checks are made here:
//! only the connections of clients are used as evidence.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a backend is passed over after its first failure. Each further failure in a row doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest time for which a backend is passed over.
const LONGEST: Duration = Duration::from_secs(5);
/// How long the outcome of a trial may take. A trial whose client has gone away has no outcome.
const TRIAL: Duration = Duration::from_secs(1);

/// What the last connection attempts say about a backend. Times are durations since an origin that the caller chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    /// The last connect succeeded, or there was none.
    Good,
    /// This number of attempts in a row failed. Until `until`, the backend is skipped while another one is ready.
    Avoided { failures: u32, until: Duration },
    /// One connection tries it again. Others pass it over until its outcome is known.
    Trying { failures: u32, until: Duration },
}

/// What happens to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is chosen for a connection.
    Chosen,
    /// The connect succeeded.
    Connected,
    /// It refused, or did not answer in time.
    Failed,
}

impl Health {
    pub(crate) fn after(self, event: Event, now: Duration) -> Self {
        match (self, event) {
            (Self::Good, Event::Chosen) | (_, Event::Connected) => Self::Good,
            (Self::Good, Event::Failed) => Self::avoided(1, now),
            (Self::Avoided { failures, .. }, Event::Chosen) => Self::Trying { failures, until: now + TRIAL },
            // The connect began before the failure that is known. Ten that fail together are one failure.
            (Self::Avoided { failures, until }, Event::Failed) => Self::Avoided { failures, until },
            (Self::Trying { failures, until }, Event::Chosen) => Self::Trying { failures, until },
            (Self::Trying { failures, .. }, Event::Failed) => Self::avoided(failures.saturating_add(1), now),
        }
    }

    /// Whether a connection should go there while others could be chosen.
    pub(crate) fn is_usable(self, now: Duration) -> bool {
        match self {
            Self::Good => true,
            Self::Avoided { until, .. } | Self::Trying { until, .. } => now >= until,
        }
    }

    fn avoided(failures: u32, now: Duration) -> Self {
        let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        let delay = FIRST.saturating_mul(doubled).min(LONGEST);
        Self::Avoided { failures, until: now + delay }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Event, Health, LONGEST};

    const NOW: Duration = Duration::from_secs(10);

    #[test]
    fn a_backend_that_refused_is_passed_over_for_twice_as_long_each_time_and_never_longer_than_five_seconds()
    {
        let mut health = Health::Good;
        let mut now = NOW;
        for expected in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            health = health.after(Event::Failed, now);
            let Health::Avoided { until, .. } = health else { panic!("{health:?}") };
            assert_eq!(until, now + Duration::from_millis(expected));
            assert!(!health.is_usable(now) && health.is_usable(until));
            now = until;
            health = health.after(Event::Chosen, now);
            assert!(!health.is_usable(now), "one connection tries it, the others do not");
        }
        assert_eq!(health.after(Event::Connected, now), Health::Good);
    }

    #[test]
    fn ten_connects_that_fail_together_are_one_failure() {
        let once = Health::Good.after(Event::Failed, NOW);
        let often = (0..9).fold(once, |health, _| health.after(Event::Failed, NOW));
        assert_eq!(once, often);
    }

    #[test]
    fn a_trial_without_an_outcome_is_followed_by_another_one() {
        let trying = Health::Good.after(Event::Failed, NOW).after(Event::Chosen, NOW);
        assert!(!trying.is_usable(NOW) && trying.is_usable(NOW + LONGEST));
    }

    #[test]
    fn failures_without_end_do_not_overflow() {
        let health = Health::Trying { failures: u32::MAX, until: NOW }.after(Event::Failed, NOW);
        assert_eq!(health, Health::Avoided { failures: u32::MAX, until: NOW + LONGEST });
    }
}
