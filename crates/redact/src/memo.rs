//! A cache of answers to questions about texts, because the containers of one host have most texts in common. It has a fixed
//! number of places, and each keeps the latest answer, so the cache stays small even for a large document.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

const PLACES: usize = 1 << 15;

/// Stores answers to questions about texts. A text is identified by a 64-bit hash.
pub(crate) struct Memo<T> {
    hasher: RandomState,
    places: RefCell<Vec<Option<(u64, T)>>>,
}

impl<T: Copy> Memo<T> {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), places: RefCell::new(Vec::new()) }
    }

    /// The answer about a text, from the cache or from `find`.
    pub(crate) fn answer(&self, text: &str, find: impl FnOnce() -> T) -> T {
        let hash = self.hasher.hash_one(text);
        let place = usize::try_from(hash >> 32).unwrap_or(0) % PLACES;
        if let Some(&Some((known, answer))) = self.places.borrow().get(place)
            && known == hash
        {
            return answer;
        }
        let answer = find();
        let mut places = self.places.borrow_mut();
        if places.is_empty() {
            places.resize(PLACES, None);
        }
        places[place] = Some((hash, answer));
        answer
    }
}
