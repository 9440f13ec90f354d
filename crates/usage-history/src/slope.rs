//! Detects whether the memory of an instance grows steadily, as with a leak.

use crate::point::Point;

/// The memory must grow from each part of the period to the next; this is the number of parts, and below it their length in minutes.
const PARTS: u64 = 6;
const PART: u64 = 30;
/// The length of the period that [`steady`] examines, in minutes.
pub const GROWTH_MINUTES: u64 = PARTS * PART;
/// The least growth: this many bytes, and this fraction of the earlier memory.
const LEAST: u64 = 8 << 20;
const SHARE: u64 = 10;

/// The growth of the memory of these points, in bytes per hour. The points are in the order of time; `now` is a minute since 1970. `None` if the
/// memory does not grow steadily: in each half hour of the last three hours, its lowest value must be higher than in the half hour before, and in
/// all by a tenth and by 8 MiB. Memory that a process uses for a moment and gives back does not count; memory that it never gives back does.
#[must_use]
pub fn steady(points: &[Point], now: u64) -> Option<u64> {
    let least = |part: u64| {
        let until = now.saturating_sub((PARTS - 1 - part) * PART);
        let within = points.iter().filter(|point| point.minute + PART > until && point.minute <= until);
        within.filter_map(|point| point.memory_bytes).min()
    };
    let least: Vec<u64> = (0..PARTS).map(least).collect::<Option<_>>()?;
    let (first, last) = (*least.first()?, *least.last()?);
    let grown = last.checked_sub(first)?;
    let is_steady = least.windows(2).all(|pair| pair[0] < pair[1]);
    let minutes = (PARTS - 1) * PART;
    (is_steady && grown >= LEAST.max(first / SHARE)).then(|| grown * 60 / minutes)
}

/// The growth as a sentence for people. `instance` is a slot, such as `web.1`.
#[must_use]
pub fn grows(instance: &str, bytes_per_hour: u64) -> String {
    format!("the memory of {instance} has grown steadily for hours, by {} MiB an hour", bytes_per_hour >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(memory: impl Fn(u64) -> u64) -> Vec<Point> {
        let point = |minute| Point { minute, cpu_percent: None, memory_bytes: Some(memory(minute) << 20) };
        (0..240).map(point).collect()
    }

    #[test]
    fn a_leak_is_told_from_a_process_that_works() {
        // One MiB a minute.
        assert_eq!(steady(&points(|minute| 100 + minute), 239), Some(60 << 20));
        // The same growth with peaks.
        assert!(steady(&points(|minute| 100 + minute + minute % 7 * 40), 239).is_some());
        for (what, memory) in [
            ("it rests", (|_| 100) as fn(u64) -> u64),
            ("it has grown once", |minute| if minute < 120 { 100 } else { 300 }),
            ("it gives back what it took", |minute| 100 + minute % 60),
            ("it was started again", |minute| if minute < 200 { 100 + minute } else { minute }),
            ("it shrinks", |minute| 500 - minute),
            ("it grows by little", |minute| 10_000 + minute),
        ] {
            assert_eq!(steady(&points(memory), 239), None, "{what}");
        }
        assert_eq!(steady(&points(|minute| 100 + minute)[..60], 239), None, "too little is known");
        assert_eq!(steady(&[], 0), None);
    }
}
