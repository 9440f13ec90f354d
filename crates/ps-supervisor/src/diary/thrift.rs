//! Limits how many events in the lives of instances are recorded. An instance that ends each second, or three hundred
//! that are started at once, must not push the entries of people out of the journal, which holds several thousand
//! lines.
//!
//! Each slot may have [`OF_SLOT`] lines at once and one more every quarter of an hour, all slots together [`OF_ALL`]
//! and one more every four minutes: at most 360 lines a day in the long run. The number of omitted lines is given in
//! the slot's next line. That an instance was given up is always recorded, because no further event follows it by
//! itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use formation::{LifeEvent, LifeStep, Slot};

/// The most lines at once of a slot, and after how long it has another one.
const OF_SLOT: (u32, Duration) = (24, Duration::from_secs(15 * 60));
/// The same of all slots together.
const OF_ALL: (u32, Duration) = (240, Duration::from_secs(4 * 60));

/// What was written down lately.
#[derive(Debug, Default)]
pub(super) struct Thrift {
    all: Spent,
    slots: BTreeMap<Slot, Spent>,
}

/// How many lines are spent, by when, and how many were left out.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    lines: u32,
    since: Option<Instant>,
    left_out: u32,
}

impl Thrift {
    /// The line, with the number of those that were left out before it; `None`: it is left out.
    pub(super) fn admit(&mut self, slot: &Slot, life: LifeEvent, now: Instant) -> Option<LifeEvent> {
        self.all.recover(now, OF_ALL.1);
        self.slots.retain(|kept, spent| {
            spent.recover(now, OF_SLOT.1);
            kept == slot || spent.lines > 0 || spent.left_out > 0
        });
        let of_slot = self.slots.entry(slot.clone()).or_default();
        let has_room = self.all.lines < OF_ALL.0 && of_slot.lines < OF_SLOT.0;
        if !has_room && life.step != LifeStep::Crashed {
            of_slot.left_out = of_slot.left_out.saturating_add(1);
            return None;
        }
        self.all.spend(now);
        of_slot.spend(now);
        Some(LifeEvent { left_out: std::mem::take(&mut of_slot.left_out), ..life })
    }
}

impl Spent {
    fn spend(&mut self, now: Instant) {
        self.lines = self.lines.saturating_add(1);
        self.since.get_or_insert(now);
    }

    /// Gives back a line for each `period` that is over.
    fn recover(&mut self, now: Instant, period: Duration) {
        let Some(since) = self.since else { return };
        let periods = now.saturating_duration_since(since).as_secs() / period.as_secs();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.lines = self.lines.saturating_sub(periods);
        self.since = (self.lines > 0).then(|| since.checked_add(period * periods).unwrap_or(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(thrift: &mut Thrift, slot: &str, step: LifeStep, now: Instant) -> Option<u32> {
        let life = LifeEvent::new(step, 1);
        thrift.admit(&slot.parse().expect("a slot"), life, now).map(|life| life.left_out)
    }

    #[test]
    fn a_crash_loop_is_cut_and_what_was_left_out_is_counted() {
        let (mut thrift, now) = (Thrift::default(), Instant::now());
        let written = (0..10_000).filter(|_| admitted(&mut thrift, "web.1", LifeStep::Exit, now).is_some());
        assert_eq!(written.count(), 24);
        assert_eq!(admitted(&mut thrift, "web.2", LifeStep::Exit, now), Some(0), "another slot has its own");
        assert_eq!(admitted(&mut thrift, "web.1", LifeStep::Crashed, now), Some(9976), "always written");
        let later = now + Duration::from_secs(31 * 60);
        assert_eq!(admitted(&mut thrift, "web.1", LifeStep::Start, later), Some(0));
        assert_eq!(admitted(&mut thrift, "web.1", LifeStep::Start, later), None, "crashed took a line too");
    }

    #[test]
    fn a_day_of_three_hundred_crash_loops_is_a_few_hundred_lines() {
        let (mut thrift, begin) = (Thrift::default(), Instant::now());
        let mut written = 0;
        for minute in 0..24 * 60 {
            let now = begin + Duration::from_secs(60 * minute);
            written += (1..=300)
                .filter(|index| admitted(&mut thrift, &format!("web.{index}"), LifeStep::Exit, now).is_some())
                .count();
        }
        assert!((500..=602).contains(&written), "{written}");
        let next_week = begin + Duration::from_secs(168 * 3600);
        admitted(&mut thrift, "web.1", LifeStep::Start, next_week);
        assert_eq!(admitted(&mut thrift, "web.1", LifeStep::Start, next_week), Some(0));
    }
}
