//! The newest events, shared by all readers. A reader has a position in the list and no queue of its own, so slow
//! readers cost nothing. A reader that is too slow misses events, and is told that there is a gap.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

/// How many bytes of events are kept, and how many events.
const MOST_BYTES: usize = 4 << 20;
const MOST_EVENTS: usize = 512;

/// The newest events.
#[derive(Debug)]
pub(crate) struct Ring {
    /// The start of the program. It is a part of the id of each event, because ids of an earlier run have no
    /// meaning.
    begun: i64,
    kept: Mutex<Kept>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

/// One event, in the form in which it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The number, counted from 1 without gaps.
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    /// The data: JSON in one line.
    pub(crate) data: String,
}

/// The next item for a reader.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Event(Arc<Event>),
    /// The next event is not kept any more; the reader continues after this number.
    Gap(u64),
    /// There is no newer event.
    Nothing,
}

impl Ring {
    pub(crate) fn new() -> Self {
        let begun = Timestamp::now().as_millisecond();
        Self { begun, kept: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Adds an event, and wakes the readers that wait for one.
    pub(crate) fn push(&self, name: &'static str, data: String) {
        let mut kept = self.kept();
        let number = *self.newest.borrow() + 1;
        kept.bytes += data.len();
        kept.events.push_back(Arc::new(Event { number, name, data }));
        while kept.events.len() > MOST_EVENTS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= oldest.data.len();
        }
        drop(kept);
        self.newest.send_replace(number);
    }

    /// The number of the newest event; 0 if there was none.
    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// A receiver that is notified of each new event.
    pub(crate) fn wakeups(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The item after the event with this number.
    pub(crate) fn after(&self, number: u64) -> Next {
        let kept = self.kept();
        let newest = self.newest();
        if number >= newest {
            return Next::Nothing;
        }
        let wanted = number + 1;
        let found = kept.events.front().and_then(|oldest| {
            let place = usize::try_from(wanted.checked_sub(oldest.number)?).ok()?;
            kept.events.get(place)
        });
        found.map_or(Next::Gap(newest), |event| Next::Event(Arc::clone(event)))
    }

    /// The id of the event with this number.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.begun)
    }

    /// The number of the event with this id; `None` if the id is invalid or comes from another run of the
    /// program.
    pub(crate) fn number(&self, id: &str) -> Option<u64> {
        let (begun, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        (begun.parse() == Ok(self.begun) && number <= self.newest()).then_some(number)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No operation under the lock can leave the data inconsistent.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_every_event_in_order() {
        let ring = Ring::new();
        assert_eq!(ring.after(0), Next::Nothing);
        ring.push("change", "1".to_owned());
        ring.push("change", "2".to_owned());
        for number in 0..2 {
            let Next::Event(event) = ring.after(number) else { panic!("event {number} is not there") };
            assert_eq!(
                (event.number, event.data.as_str()),
                (number + 1, ["1", "2"][usize::try_from(number).expect("small")])
            );
        }
        assert_eq!(ring.after(2), Next::Nothing);
    }

    #[test]
    fn what_was_missed_is_a_gap_and_the_memory_is_bounded() {
        let ring = Ring::new();
        for _ in 0..MOST_EVENTS * 2 {
            ring.push("change", "x".to_owned());
        }
        assert_eq!(ring.after(1), Next::Gap(ring.newest()));
        assert!(matches!(ring.after(ring.newest() - 1), Next::Event(_)));
        for _ in 0..3 {
            ring.push("change", "x".repeat(MOST_BYTES / 2));
        }
        assert!(ring.kept().bytes <= MOST_BYTES);
    }

    #[test]
    fn an_event_that_is_larger_than_everything_is_a_gap() {
        let ring = Ring::new();
        ring.push("change", "x".repeat(MOST_BYTES + 1));
        assert_eq!((ring.after(0), ring.kept().bytes), (Next::Gap(1), 0));
    }

    #[test]
    fn an_id_of_another_run_or_of_the_future_is_none() {
        let ring = Ring::new();
        ring.push("change", "1".to_owned());
        assert_eq!(ring.number(&ring.id(1)), Some(1));
        for id in [&ring.id(2), "1-1", "", "x", "1", "-"] {
            assert_eq!(ring.number(id), None, "{id}");
        }
    }
}
