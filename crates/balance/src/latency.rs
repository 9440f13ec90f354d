//! A histogram of durations. Its classes grow with the duration, so a percentile is exact to a quarter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The number of classes into which each doubling of the time is divided.
const PARTS: u32 = 4;
/// Up to 2^26 microseconds, about a minute; what takes longer counts as that.
const CLASSES: usize = 27 * PARTS as usize;

/// Counts of durations. Empty until the first.
///
/// `counts` begins with the shortest class, and ends with the longest that has one. Each doubling of a microsecond is divided into four
/// classes: the first one is up to 1.25 microseconds, the fifth up to 2.5, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    counts: Vec<u32>,
    /// The sum of all, in microseconds. Versions that did not know it have left it out.
    #[serde(default)]
    total_us: u64,
}

impl Latency {
    pub(crate) fn add(&mut self, took: Duration) {
        let class = class(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.counts.resize(self.counts.len().max(class + 1), 0);
        self.counts[class] = self.counts[class].saturating_add(1);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.total_us = self.total_us.saturating_add(micros);
    }

    /// What was counted after `earlier`, an earlier state of the same counts, was taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before).map(|(now, before)| now.saturating_sub(before));
        let mut counts: Vec<u32> = counts.collect();
        counts.truncate(counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
        Self { counts, total_us: self.total_us.saturating_sub(earlier.total_us) }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The sum of all durations. Durations that a version without this sum has counted are missing from it.
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.total_us)
    }

    /// How many took less than this number of microseconds. It is exact for powers of two, which are the ends of classes, and otherwise
    /// too small by what is in the class of that number.
    pub fn within(&self, micros: u64) -> u64 {
        let counts = self.counts.iter().enumerate();
        counts.filter(|(at, _)| upper(*at) <= micros).map(|(_, count)| u64::from(*count)).sum()
    }

    /// The longest time, in microseconds; none if nothing was counted.
    pub fn worst(&self) -> Option<u64> {
        self.percentile(100)
    }

    /// The time within which this percentage was done, in microseconds; `None` if nothing was counted.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let within = |(at, count): (usize, &u32)| {
            seen += u64::from(*count);
            (seen >= wanted).then(|| upper(at))
        };
        self.counts.iter().enumerate().find_map(within)
    }
}

fn class(micros: u32) -> usize {
    let micros = micros.max(1);
    let doubling = micros.ilog2();
    // The two bits below the highest one.
    let part = if doubling >= 2 { (micros >> (doubling - 2)) & 3 } else { (micros << (2 - doubling)) & 3 };
    ((doubling * PARTS + part) as usize).min(CLASSES - 1)
}

/// The longest time of a class, in microseconds.
fn upper(class: usize) -> u64 {
    let (doubling, part) = (class / PARTS as usize, class % PARTS as usize);
    ((1_u64 << doubling) * (u64::from(PARTS) + part as u64 + 1)).div_ceil(u64::from(PARTS))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latency;

    fn of(micros: impl Iterator<Item = u64>) -> Latency {
        let mut latency = Latency::default();
        micros.for_each(|it| latency.add(Duration::from_micros(it)));
        latency
    }

    #[test]
    fn a_percentile_is_right_to_a_quarter_and_never_too_small() {
        for scale in [1, 7, 100, 5_000, 100_000] {
            let latency = of((1..=1000).map(|it| it * scale));
            for percent in [50, 99] {
                let exact = percent * 10 * scale;
                let said = latency.percentile(percent).expect("a thousand were counted");
                assert!(said >= exact && said <= exact + exact / 4 + 1, "{percent} of {scale}: {said}");
            }
        }
    }

    #[test]
    fn the_sum_is_exact_and_so_are_the_counts_below_a_power_of_two() {
        let latency = of([3, 7, 8, 1_023, 1_024, 5_000_000].into_iter());
        assert_eq!((latency.count(), latency.total()), (6, Duration::from_micros(5_002_065)));
        let below: Vec<u64> = [4, 8, 16, 1 << 10, 1 << 11, 1 << 23].map(|it| latency.within(it)).into();
        assert_eq!(below, [1, 2, 3, 4, 5, 6]);
        assert_eq!(latency.since(&of([3, 7].into_iter())).total(), Duration::from_micros(5_002_055));
    }

    #[test]
    fn what_was_counted_since_an_earlier_state_is_told_apart() {
        let earlier = of([10, 900].into_iter());
        let mut now = earlier.clone();
        now.add(Duration::from_micros(100));
        let since = now.since(&earlier);
        assert_eq!(since, of(std::iter::once(100)));
        assert!(since.worst().is_some_and(|it| (100..=125).contains(&it)));
        assert_eq!(earlier.since(&earlier).worst(), None);
    }

    #[test]
    fn nothing_counted_is_no_time_and_hours_are_counted_as_the_longest_class() {
        assert_eq!(of(std::iter::empty()).percentile(50), None);
        assert!(of(std::iter::once(7_200_000_000)).percentile(99).is_some_and(|it| it > 60_000_000));
    }
}
