//! When the printer pauses. A program that writes line by line wakes it with each line, which costs more than printing. So
//! the printer lets a busy writer fill its pipe for a moment; occasional output is printed at once.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The length of a pause.
const REST: Duration = Duration::from_millis(1);
/// A portion of this many bytes needs no pause.
const PORTION: usize = 32 << 10;
/// The printer is busy if it was woken a certain number of times within this time.
const WINDOW: Duration = Duration::from_millis(10);
const OFTEN: u32 = 32;
/// The capacity of a busy writer's pipe, in bytes.
const LARGE: usize = 1 << 20;
/// How many writers may have a large pipe: Linux limits the total of a user's pipes (`fs.pipe-user-pages-soft`).
const MOST_LARGE: usize = 8;

/// How often the printer was woken lately.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    since: Option<Instant>,
    times: u32,
    is_busy: bool,
    large: usize,
}

impl Rhythm {
    /// After this many bytes in a turn: how long to pause, if at all.
    pub(super) fn after(&mut self, now: Instant, bytes: usize) -> Option<Duration> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > WINDOW) {
            // A turn with a pause takes a millisecond, so a writer that goes on is counted less often.
            self.is_busy = self.times >= if self.is_busy { 5 } else { OFTEN };
            (self.since, self.times) = (Some(now), 0);
        }
        self.times += 1;
        self.is_busy |= self.times >= OFTEN;
        (self.is_busy && bytes < PORTION).then_some(REST)
    }

    /// Enlarges a writer's pipe if the printer is busy; whether it was enlarged.
    pub(super) fn enlarge(&mut self, pipe: impl AsFd) -> bool {
        let is_due = self.is_busy && self.large < MOST_LARGE;
        let is_done = is_due && rustix::pipe::fcntl_setpipe_size(pipe, LARGE).is_ok();
        self.large += usize::from(is_done);
        is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_while_it_is_woken_again_and_again_and_not_for_a_line_now_and_then() {
        let begin = Instant::now();
        let at = |micros| begin + Duration::from_micros(micros);
        let mut rhythm = Rhythm::default();
        assert!((0..500).all(|line| rhythm.after(at(line * 1000), 80).is_none()));
        let mut now = 600_000;
        let rests = (0..100).filter(|_| {
            now += 10;
            rhythm.after(at(now), 80).is_some()
        });
        assert_eq!(rests.count(), 100 - OFTEN as usize + 1);
        // The pauses go on while each turn takes a millisecond; a large portion needs none.
        assert!((0..100).all(|_| {
            now += 1_100;
            rhythm.after(at(now), 20_000).is_some()
        }));
        assert_eq!(rhythm.after(at(now), PORTION), None);
        now += 100_000;
        assert_eq!(rhythm.after(at(now), 80).and(rhythm.after(at(now + 100_000), 80)), None);
    }
}
