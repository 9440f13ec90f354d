//! Which connections of clients are awake: hyper has their socket, with buffers and all. The busy ones are, and some of those that wait for the next request,
//! so that a client that asks again soon finds everything ready. Of the others, those that were used the longest ago are sent to rest.
//!
//! Which was used the longest ago is not known exactly: a hand goes round over all, and sends to rest the first one that was not used since it came
//! by last.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// So many may wait for a request, however few are busy.
const MOST: usize = 100;
/// So many may wait for each one that is busy: when clients ask in turns, many wait for a moment.
const FOR_EACH: usize = 2;

/// All connections that are awake.
#[derive(Debug, Default)]
pub(crate) struct Awake {
    ring: Mutex<Ring>,
    busy: AtomicUsize,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Ring {
    all: BTreeMap<u64, Arc<State>>,
    next: u64,
    hand: u64,
}

#[derive(Debug)]
struct State {
    doing: AtomicU8,
    /// It had a request since the hand came by.
    was_used: AtomicBool,
    /// The task to wake when it is to rest.
    task: Mutex<Option<Waker>>,
}

/// It has a request, or was woken for one.
const BUSY: u8 = 0;
/// It waits for a request.
const WAITING: u8 = 1;
/// It waits, and is to rest.
const TO_REST: u8 = 2;

/// By which requests of a connection are told that they begin.
#[derive(Clone, Debug)]
pub(crate) struct Uses(Arc<State>);

/// The place of one connection among them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    awake: &'a Awake,
    number: u64,
    state: Arc<State>,
}

impl Awake {
    /// One that was woken for a request.
    pub(crate) fn enter(&self) -> Place<'_> {
        let (doing, was_used) = (AtomicU8::new(BUSY), AtomicBool::new(true));
        let state = Arc::new(State { doing, was_used, task: Mutex::default() });
        self.busy.fetch_add(1, Ordering::Relaxed);
        let mut ring = self.ring();
        let number = ring.next;
        ring.next += 1;
        ring.all.insert(number, Arc::clone(&state));
        Place { awake: self, number, state }
    }

    /// One less does this.
    fn ends(&self, doing: u8) {
        match doing {
            BUSY => self.busy.fetch_sub(1, Ordering::Relaxed),
            WAITING => self.waiting.fetch_sub(1, Ordering::Relaxed),
            // They are not counted.
            _ => 0,
        };
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends as many to rest as wait too many.
    fn trim(&self) {
        let most = MOST.max(FOR_EACH * self.busy.load(Ordering::Relaxed));
        while self.waiting.load(Ordering::Relaxed) > most && self.ring().send_one_to_rest() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Ring {
    /// Whether one was found.
    fn send_one_to_rest(&mut self) -> bool {
        // At most twice round: the first time it may find that all were used.
        for _ in 0..2 * self.all.len() {
            let next = self.all.range(self.hand..).next().or_else(|| self.all.iter().next());
            let Some((number, state)) = next else { return false };
            self.hand = number + 1;
            let waits = state.doing.load(Ordering::Relaxed) == WAITING;
            if waits && !state.was_used.swap(false, Ordering::Relaxed) {
                state.doing.store(TO_REST, Ordering::Relaxed);
                state.task().take().into_iter().for_each(Waker::wake);
                return true;
            }
        }
        false
    }
}

impl State {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// By which requests are told that they begin.
    pub(crate) fn uses(&self) -> Uses {
        Uses(Arc::clone(&self.state))
    }

    /// It waits for a request: whether it is to rest. If it is not, this task is woken once it is.
    pub(crate) fn waits(&self, task: &Waker) -> bool {
        if self.state.doing.load(Ordering::Relaxed) == BUSY {
            *self.state.task() = Some(task.clone());
            self.state.doing.store(WAITING, Ordering::Relaxed);
            self.awake.busy.fetch_sub(1, Ordering::Relaxed);
            self.awake.waiting.fetch_add(1, Ordering::Relaxed);
            self.awake.trim();
        }
        self.state.doing.load(Ordering::Relaxed) == TO_REST
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.awake.ring().all.remove(&self.number);
        self.awake.ends(self.state.doing.load(Ordering::Relaxed));
    }
}

impl Uses {
    /// A request begins.
    pub(crate) fn begin(&self, awake: &Awake) {
        self.0.was_used.store(true, Ordering::Relaxed);
        let before = self.0.doing.swap(BUSY, Ordering::Relaxed);
        if before != BUSY {
            awake.ends(before);
            awake.busy.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::task::Waker;

    use super::{Awake, MOST};

    #[test]
    fn those_that_were_not_used_for_the_longest_are_sent_to_rest_when_too_many_wait() {
        let awake = Awake::default();
        let task = Waker::noop();
        let places: Vec<_> = (0..MOST).map(|_| awake.enter()).collect();
        for place in &places {
            place.uses().begin(&awake);
        }
        // As many wait as may.
        assert!(places.iter().all(|place| !place.waits(task)));
        let more: Vec<_> = (0..2).map(|_| awake.enter()).collect();
        let resting = |places: &[super::Place<'_>]| places.iter().filter(|place| place.waits(task)).count();
        for place in &more {
            place.uses().begin(&awake);
            assert!(!place.waits(task), "who was used just now");
        }
        assert_eq!((resting(&places), resting(&more)), (2, 0));
        // The next one whose turn it would be is used.
        let next = places.iter().position(|place| !place.waits(task)).expect("one is awake");
        places[next].uses().begin(&awake);
        assert!(!places[next].waits(task));
        let third = awake.enter();
        assert!(!third.waits(task));
        assert!(!places[next].waits(task) && places[next + 1].waits(task));
    }

    #[test]
    fn many_may_wait_where_many_are_busy() {
        let awake = Awake::default();
        let (busy, waiting): (Vec<_>, Vec<_>) = (0..2 * MOST).map(|_| (awake.enter(), awake.enter())).unzip();
        for place in busy.iter().chain(&waiting) {
            place.uses().begin(&awake);
        }
        assert!(waiting.iter().all(|place| !place.waits(Waker::noop())));
        drop(busy);
        let last = awake.enter();
        assert!(!last.waits(Waker::noop()));
        let resting = waiting.iter().filter(|place| place.waits(Waker::noop())).count();
        // The last one is one of those that may wait.
        assert_eq!(resting, waiting.len() + 1 - MOST);
        drop(last);
        drop(waiting);
        let left = [&awake.busy, &awake.waiting].map(|count| count.load(Ordering::Relaxed));
        assert_eq!((left, awake.ring().all.len()), ([0, 0], 0));
    }
}
