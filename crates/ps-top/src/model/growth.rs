//! The instances whose memory grows steadily: those that `ps-web` has reported, and those that were observed here.

use std::collections::BTreeMap;

use usage_history::{GROWTH_MINUTES, Point, steady};

/// For how many instances minutes are kept.
const INSTANCES: usize = 512;
/// How many minutes are between two checks for growing memory.
const LOOK: u64 = 10;

/// The known growth. The name of an instance is `shop/web.1`.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    /// Bytes an hour, from the history of `ps-web`.
    told: BTreeMap<String, u64>,
    /// Bytes an hour, as observed here.
    seen: BTreeMap<String, u64>,
    /// The memory of each of the last minutes in which it was measured here.
    minutes: BTreeMap<String, Vec<Point>>,
    /// The newest of these minutes, since 1970.
    newest: u64,
}

impl Growth {
    /// Takes a new look at the history of `ps-web`.
    pub(crate) fn told(&mut self, growing: Vec<(String, u64)>) {
        self.told = growing.into_iter().collect();
    }

    /// Whether this minute has no measurement yet.
    pub(crate) fn wants(&self, minute: u64) -> bool {
        minute > self.newest
    }

    /// Adds the memory of instances, in bytes, in this minute, which is later than all before.
    pub(crate) fn sample(&mut self, minute: u64, samples: impl Iterator<Item = (String, u64)>) {
        self.newest = minute;
        for (name, bytes) in samples {
            if self.minutes.len() < INSTANCES || self.minutes.contains_key(&name) {
                let point = Point { minute, cpu_percent: None, memory_bytes: Some(bytes) };
                self.minutes.entry(name).or_default().push(point);
            }
        }
        self.minutes.retain(|_, points| {
            points.retain(|point| point.minute + GROWTH_MINUTES > minute);
            !points.is_empty()
        });
        if minute.is_multiple_of(LOOK) {
            let growing =
                |(name, points): (&String, &Vec<Point>)| Some((name.clone(), steady(points, minute)?));
            self.seen = self.minutes.iter().filter_map(growing).collect();
        }
    }

    /// By how many bytes an hour the memory of an instance grows.
    pub(crate) fn of(&self, app: &str, slot: &str) -> Option<u64> {
        let name = format!("{app}/{slot}");
        self.seen.get(&name).or_else(|| self.told.get(&name)).copied()
    }

    /// The instances of an app whose memory grows: the slot, and the bytes an hour.
    pub(crate) fn of_app<'a>(&'a self, app: &str) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let own = format!("{app}/");
        let all = self.seen.iter().chain(self.told.iter().filter(|(name, _)| !self.seen.contains_key(*name)));
        all.filter_map(move |(name, bytes)| Some((name.strip_prefix(&own)?, *bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_for_hours_is_seen_and_what_ps_web_has_said_is_known_at_once() {
        let mut growth = Growth::default();
        growth.told(vec![("shop/web.2".to_owned(), 9 << 20)]);
        assert_eq!(growth.of("shop", "web.2"), Some(9 << 20));
        for minute in 10_000..10_241_u64 {
            assert!(growth.wants(minute));
            let samples = [("shop/web.1", minute - 9_000), ("shop/worker.1", 100)];
            growth.sample(minute, samples.map(|(name, mib)| (name.to_owned(), mib << 20)).into_iter());
            assert!(!growth.wants(minute));
            assert_eq!(growth.of("shop", "web.1").is_some(), minute >= 10_150, "{minute}");
        }
        assert_eq!(growth.of("shop", "worker.1"), None);
        assert_eq!(growth.of("blog", "web.1"), None);
        let all: Vec<_> = growth.of_app("shop").collect();
        assert_eq!(all, [("web.1", 60 << 20), ("web.2", 9 << 20)]);
        assert!(growth.minutes.values().all(|points| points.len() <= 180));
        growth.told(Vec::new());
        // The instance is not measured any more, because it is not on the screen, or does not exist any more.
        for minute in 10_241..10_430 {
            growth.sample(minute, std::iter::empty());
        }
        assert!(growth.of_app("shop").next().is_none() && growth.minutes.is_empty());
    }

    #[test]
    fn the_memory_that_it_takes_itself_has_a_limit() {
        let mut growth = Growth::default();
        growth.sample(1, (0..2 * INSTANCES).map(|number| (format!("app{number}/web.1"), 1)));
        assert_eq!(growth.minutes.len(), INSTANCES);
    }
}
