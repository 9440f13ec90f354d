//! Requests and their answers, each at one backend at a time. A connection of HTTP/1.1 has one request after another,
//! one of HTTP/2 several at once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use balance::Key;

use crate::work::Work;

/// A request and its answer, or with HTTP/1.1 all those of a connection, one after another.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// What does it: cutting that ends this exchange, and no other one of HTTP/2.
    pub(crate) work: Arc<Work>,
    /// The backend that it is at, if it is at one.
    key: Mutex<Option<Key>>,
}

impl Exchange {
    pub(crate) fn new(work: Arc<Work>) -> Self {
        Self { work, key: Mutex::default() }
    }

    /// It goes to this backend.
    pub(crate) fn is_at(&self, key: Key) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// The last request is answered, and none is open.
    pub(crate) fn is_nowhere(&self) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn backend(&self) -> Option<Key> {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exchanges of one connection. Each is owned by the task that works on it.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    open: Vec<Weak<Exchange>>,
    /// How many there have been.
    pub(crate) begun: u64,
}

impl Exchanges {
    /// Another one begins.
    pub(crate) fn begin(&mut self, exchange: &Arc<Exchange>) {
        self.open.retain(|it| it.strong_count() > 0);
        self.open.push(Arc::downgrade(exchange));
        self.begun += 1;
    }

    /// Whether one is open.
    pub(crate) fn is_busy(&self) -> bool {
        self.open.iter().any(|it| it.strong_count() > 0)
    }

    /// Those that are at one of these backends.
    pub(crate) fn at(&self, keys: &[Key]) -> Vec<Arc<Exchange>> {
        let is_there = |it: &Arc<Exchange>| it.backend().is_some_and(|key| keys.contains(&key));
        self.open.iter().filter_map(Weak::upgrade).filter(is_there).collect()
    }

    /// All that are open.
    pub(crate) fn all(&self) -> Vec<Arc<Exchange>> {
        self.open.iter().filter_map(Weak::upgrade).collect()
    }
}
