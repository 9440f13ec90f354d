//! Whether somebody set the clock: between two entries of the journal, or after the last one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ps_journal::Entry;
use rustix::time::ClockId;

use crate::facts::ClockJump;

/// From how many milliseconds on the clock was set, and not only corrected.
const JUMP: i64 = 5000;

/// The last time that the clock was set, and by how many seconds: between two entries of one boot, it and the time
/// since boot changed by different amounts.
pub(super) fn clock(entries: &[Entry], now: Option<&Now>) -> Option<ClockJump> {
    let mut earlier: BTreeMap<&str, i64> = BTreeMap::new();
    let mut jump = None;
    for entry in entries {
        let begin = begin_of_boot(entry.at, entry.monotonic_ms);
        if let Some(before) = earlier.insert(&entry.boot, begin)
            && is_jump(begin - before, now)
        {
            jump = Some(ClockJump { at: entry.at, seconds: (begin - before) / 1000, is_since: false });
        }
    }
    let last = entries.last().zip(now).filter(|(last, now)| last.boot == now.boot);
    let since = last.and_then(|(last, now)| {
        let ahead = ahead(entries, last.at, now);
        (!ahead.is_zero()).then(|| ClockJump { at: last.at, seconds: ahead.as_secs(), is_since: true })
    });
    since.or(jump)
}

/// By how much the clock of now is ahead of the one by which the entry of that moment was written, if it was set in between: what the
/// log tells of its lines is by the clock of now.
pub(super) fn ahead(entries: &[Entry], of: Timestamp, now: &Now) -> SignedDuration {
    let entry = entries.iter().rfind(|entry| entry.at == of && entry.boot == now.boot);
    let ahead = entry
        .map(|entry| begin_of_boot(now.at, now.monotonic_ms) - begin_of_boot(entry.at, entry.monotonic_ms));
    SignedDuration::from_millis(ahead.filter(|ahead| is_jump(*ahead, Some(now))).unwrap_or(0))
}

/// When the machine was started, in milliseconds, by the clock that said that time.
fn begin_of_boot(at: Timestamp, monotonic_ms: u64) -> i64 {
    at.as_millisecond() - i64::try_from(monotonic_ms).unwrap_or(0)
}

/// Whether the clock was set by so much. While a machine sleeps, its clock goes on and the other one does not.
fn is_jump(milliseconds: i64, now: Option<&Now>) -> bool {
    let slept = now.map_or(0, |now| i64::try_from(now.slept_ms).unwrap_or(i64::MAX));
    milliseconds <= -JUMP || milliseconds >= JUMP.saturating_add(slept)
}

/// The present moment by both clocks.
pub(super) struct Now {
    at: Timestamp,
    monotonic_ms: u64,
    boot: String,
    /// How long the machine has slept since its start.
    slept_ms: u64,
}

impl Now {
    pub(super) fn look() -> Self {
        let milliseconds = |clock| {
            let time = rustix::time::clock_gettime(clock);
            let nanoseconds = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
            u64::try_from(nanoseconds / 1_000_000).unwrap_or(0)
        };
        let monotonic_ms = milliseconds(ClockId::Monotonic);
        let slept_ms = milliseconds(ClockId::Boottime).saturating_sub(monotonic_ms);
        Self { at: Timestamp::now(), monotonic_ms, boot: os_process::boot_id().to_owned(), slept_ms }
    }
}

#[cfg(test)]
mod tests {
    use ps_journal::Event;

    use super::*;

    #[test]
    fn a_clock_that_was_set_is_seen_between_two_entries() {
        let entry = |seconds: i64, monotonic_ms: u64, boot: &str| Entry {
            format: 1,
            at: Timestamp::from_second(seconds).expect("a time"),
            monotonic_ms,
            boot: boot.to_owned(),
            act: "1".to_owned(),
            event: Event::Unknown,
        };
        let usual = [entry(100, 1000, "a"), entry(160, 61_000, "a"), entry(900, 500, "b")];
        assert_eq!(clock(&usual, None), None);
        let set_back = [entry(100, 1000, "a"), entry(40, 61_000, "a"), entry(50, 71_000, "a")];
        let jump = ClockJump { at: set_back[1].at, seconds: -120, is_since: false };
        assert_eq!(clock(&set_back, None), Some(jump));
        // Since the last entry, too: that one says what it was, and the lines of a log are told by the clock of now.
        let now = |seconds: i64, slept_ms: u64| Now {
            at: Timestamp::from_second(seconds).expect("a time"),
            monotonic_ms: 10_500,
            boot: "b".to_owned(),
            slept_ms,
        };
        let (same, back, forth) = (now(910, 0), now(310, 0), now(1510, 0));
        assert_eq!(clock(&usual, Some(&same)), None);
        let since = |seconds| Some(ClockJump { at: usual[2].at, seconds, is_since: true });
        assert_eq!(clock(&usual, Some(&back)), since(-600));
        assert_eq!(clock(&usual, Some(&forth)), since(600));
        assert_eq!(clock(&usual, Some(&now(1510, 600_000))), None, "it has slept for so long");
        assert_eq!(ahead(&usual, usual[2].at, &back), SignedDuration::from_secs(-600));
        assert_eq!(ahead(&usual, usual[2].at, &same), SignedDuration::ZERO);
        assert_eq!(ahead(&usual, usual[1].at, &back), SignedDuration::ZERO, "of another boot");
    }
}
