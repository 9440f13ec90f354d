//! How a stream is taken: at once while little comes, and in larger portions while much does. Whoever writes line by line
//! wakes us with each line; then most of our time is spent on waking up, and that of the writer on waking us. So a stream
//! that wakes us often gets a larger pipe, and is left alone for a moment after each small portion. A single line is
//! taken at once, and nobody is woken for a stream that is quiet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::source::Source;

/// How much a pipe holds as the system makes it, in bytes.
pub(crate) const SMALL: usize = 64 << 10;
/// How much that of a busy stream holds: the most that everybody may ask for.
pub(crate) const LARGE: usize = 1 << 20;
/// How long a busy stream is left alone.
pub(crate) const REST: Duration = Duration::from_millis(1);

/// How long a stream is quiet before its large pipe is given back.
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// Within how long a stream that wakes us so often is busy.
const WINDOW: Duration = Duration::from_millis(10);
const OFTEN: u32 = 32;

/// What is to be done about a stream from which something was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// It is looked at again when there is more.
    GoOn,
    /// Its pipe should be larger.
    Grow,
    /// It is left alone for a moment.
    Rest,
}

/// The streams that are not simply taken when something comes.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Those that have a large pipe, and when something was last taken from them.
    pub(crate) large: BTreeMap<Source, Instant>,
}

impl Flow {
    /// When a large pipe may be given back.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.large.values().min().map(|last| *last + QUIET)
    }
}

/// How often a stream has woken us.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    since: Option<Instant>,
    times: u32,
}

impl Pace {
    /// So much was taken now, out of a pipe that holds so much.
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
