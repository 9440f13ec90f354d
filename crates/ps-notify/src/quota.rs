//! Limits the number of alerts in a period, so that an app that fails again and again does not flood the recipients.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How many alerts of an app are sent in a [`WINDOW`].
const MOST: usize = 10;
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// The times of the last alerts, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota(Vec<Timestamp>);

impl Quota {
    /// The quota with the stored times.
    pub(crate) fn of(told: Vec<Timestamp>) -> Self {
        Self(told)
    }

    /// How long the next alert has to wait; zero if it may be sent now.
    pub(crate) fn wait(&mut self, now: Timestamp) -> Duration {
        // An alert in the future was sent before the clock was set back.
        self.0.retain(|told| *told <= now && now.duration_since(*told) < WINDOW);
        let Some(first) = self.0.len().checked_sub(MOST) else { return Duration::ZERO };
        let left = WINDOW - now.duration_since(self.0[first]);
        left.unsigned_abs()
    }

    /// Records that an alert was sent.
    pub(crate) fn note(&mut self, now: Timestamp) {
        self.0.push(now);
    }

    /// The times that are to be stored.
    pub(crate) fn told(&self) -> &[Timestamp] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).expect("a time")
    }

    #[test]
    fn ten_are_told_at_once_and_the_next_one_when_the_first_is_a_minute_old() {
        let mut quota = Quota::default();
        for number in 0..10 {
            assert_eq!(quota.wait(second(number)), Duration::ZERO);
            quota.note(second(number));
        }
        assert_eq!(quota.wait(second(9)), Duration::from_secs(51));
        assert_eq!(quota.wait(second(59)), Duration::from_secs(1));
        assert_eq!(quota.wait(second(60)), Duration::ZERO);
        quota.note(second(60));
        assert_eq!(quota.wait(second(60)), Duration::from_secs(1));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let mut quota = Quota::default();
        (0..10).for_each(|_| quota.note(second(5000)));
        assert_eq!(quota.wait(second(0)), Duration::ZERO);
    }
}
