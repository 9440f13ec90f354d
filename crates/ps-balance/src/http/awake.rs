//! How many connections of clients are awake: hyper has their socket, with buffers and all. The busy ones are, and some of those that wait for the next
//! request. If enough wait already, a connection that was answered goes to rest at once, and what it used is used for the next one while it is
//! still in the processor's cache. A connection that waits is closed after a minute, so nobody is awake for nothing for longer than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// So many may wait for a request, however few are busy.
const MOST: usize = 100;
/// So many may wait for each one that is busy: when clients ask in turns, many wait for a moment.
const FOR_EACH: usize = 2;

/// The counts of connections that are awake.
#[derive(Debug, Default)]
pub(crate) struct Awake {
    busy: AtomicUsize,
    waiting: AtomicUsize,
}

/// One connection among them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    awake: &'a Awake,
    waits: Arc<AtomicBool>,
}

/// By which requests of a connection are told that they begin.
#[derive(Clone, Debug)]
pub(crate) struct Uses(Arc<AtomicBool>);

impl Awake {
    /// One that was woken for a request.
    pub(crate) fn enter(&self) -> Place<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Place { awake: self, waits: Arc::default() }
    }
}

impl Place<'_> {
    pub(crate) fn uses(&self) -> Uses {
        Uses(Arc::clone(&self.waits))
    }

    /// Whether it waits for a request.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// It waits for a request: whether it is to rest, because enough others wait.
    pub(crate) fn waits(&self) -> bool {
        if self.waits.swap(true, Ordering::Relaxed) {
            return false;
        }
        let busy = self.awake.busy.fetch_sub(1, Ordering::Relaxed) - 1;
        let others = self.awake.waiting.fetch_add(1, Ordering::Relaxed);
        others >= MOST.max(FOR_EACH * busy)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let count = if self.is_waiting() { &self.awake.waiting } else { &self.awake.busy };
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Uses {
    /// A request begins.
    pub(crate) fn begin(&self, awake: &Awake) {
        if self.0.swap(false, Ordering::Relaxed) {
            awake.waiting.fetch_sub(1, Ordering::Relaxed);
            awake.busy.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{Awake, FOR_EACH, MOST};

    #[test]
    fn a_connection_rests_if_enough_others_wait_and_more_may_where_many_are_busy() {
        let awake = Awake::default();
        let waiting: Vec<_> = (0..MOST).map(|_| awake.enter()).collect();
        assert!(waiting.iter().all(|place| !place.waits()), "as many as may");
        assert!(awake.enter().waits(), "one more");
        let busy: Vec<_> = (0..MOST).map(|_| awake.enter()).collect();
        let more: Vec<_> = (0..FOR_EACH * MOST - MOST).map(|_| awake.enter()).collect();
        assert!(more.iter().all(|place| !place.waits()));
        assert!(awake.enter().waits());
        waiting[0].uses().begin(&awake);
        assert!(!waiting[0].is_waiting() && !awake.enter().waits(), "in its place");
        drop((waiting, busy, more));
        let left = [&awake.busy, &awake.waiting].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(left, [0, 0]);
    }
}
