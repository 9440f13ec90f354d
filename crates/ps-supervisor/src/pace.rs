//! When a stream is read: at once while little is written, and in larger portions while much is written. A program that
//! writes line by line wakes the supervisor with each line, and both then spend most of their time on that. So a stream
//! that wakes us often gets a larger pipe and is not looked at for a moment after each small portion. A single line is
//! still read at once, and a quiet stream causes no wake-up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::wakeup::Wakeup;

/// The capacity of a pipe as the system makes it, in bytes.
pub(crate) const SMALL: usize = 64 << 10;
/// The capacity for a busy stream, in bytes: the most that an unprivileged process may ask for.
pub(crate) const LARGE: usize = 1 << 20;
/// How long a busy stream is not looked at after a small portion.
pub(crate) const REST: Duration = Duration::from_millis(1);

/// After how long without data a stream's pipe is made small again.
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// A stream is busy if it wakes us a certain number of times within this time.
const WINDOW: Duration = Duration::from_millis(10);
const OFTEN: u32 = 32;

/// What to do about a stream after a portion was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Wait for more data.
    GoOn,
    /// Enlarge its pipe.
    Grow,
    /// Do not look at it for [`REST`].
    Rest,
}

/// The streams that are busy.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// The streams with a large pipe, and when data were last read from each.
    pub(crate) large: BTreeMap<Wakeup, Instant>,
}

impl Flow {
    /// When the next large pipe may be made small again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.large.values().min().map(|last| *last + QUIET)
    }
}

/// How often a stream has woken us lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    since: Option<Instant>,
    times: u32,
}

impl Pace {
    /// Advice after `bytes` were read at `now` from a pipe with a capacity of `room`.
    pub(crate) fn after(&mut self, now: Instant, bytes: u64, room: usize) -> Advice {
        let is_half = bytes >= room as u64 / 2;
        if room >= LARGE {
            return if is_half { Advice::GoOn } else { Advice::Rest };
        }
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > WINDOW) {
            (self.since, self.times) = (Some(now), 0);
        }
        self.times += 1;
        if is_half || self.times >= OFTEN {
            self.times = 0;
            return Advice::Grow;
        }
        Advice::GoOn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_stream_gets_a_larger_pipe_and_rests_and_a_line_now_and_then_does_not() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        for line in 0..1000 {
            let now = begin + Duration::from_millis(line);
            assert_eq!(pace.after(now, 80, SMALL), Advice::GoOn, "line {line}");
        }
        let advice: Vec<Advice> = (0..OFTEN).map(|_| pace.after(begin, 80, SMALL)).collect();
        assert_eq!(advice.iter().filter(|advice| **advice == Advice::Grow).count(), 1, "{advice:?}");
        assert_eq!(pace.after(begin, 40_000, SMALL), Advice::Grow);
        assert_eq!(pace.after(begin, 40_000, LARGE), Advice::Rest);
        assert_eq!(pace.after(begin, 600_000, LARGE), Advice::GoOn);
    }
}
