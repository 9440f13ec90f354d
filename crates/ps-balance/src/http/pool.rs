//! Idle connections to backends. One is kept for a second at most: a backend closes an idle connection after some time
//! (Node after five seconds, gunicorn after two), and a request that is sent at that moment would be lost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use balance::Key;

use crate::clock;
use crate::http::line::Line;

/// How long a connection waits.
const WAIT: Duration = Duration::from_secs(1);

/// Those that wait, each with the time until which it does. The last ones of a backend have waited the shortest.
type Waiting = BTreeMap<Key, VecDeque<(Line, Duration)>>;

/// All connections that wait.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    waiting: Mutex<Waiting>,
}

impl Pool {
    /// A connection to this backend that has waited.
    pub(crate) async fn take(&self, key: Key) -> Option<Line> {
        loop {
            let (mut line, until) = self.waiting().get_mut(&key)?.pop_back()?;
            if until > clock::now() && line.is_ready().await {
                return Some(line);
            }
        }
    }

    /// Keeps one whose answer is there as a whole, if fewer than `most` wait: until when it does.
    pub(crate) fn put(&self, key: Key, line: Line, most: usize) -> Option<Duration> {
        let mut waiting = self.waiting();
        if line.is_closed() || waiting.values().map(VecDeque::len).sum::<usize>() >= most {
            return None;
        }
        let until = clock::now() + WAIT;
        waiting.entry(key).or_default().push_back((line, until));
        Some(until)
    }

    /// Closes those that have waited long enough, and those whose backend is not to be used: when the next ones will have.
    pub(crate) fn end(&self, now: Duration, is_ready: impl Fn(Key) -> bool) -> Option<Duration> {
        let mut waiting = self.waiting();
        waiting.retain(|key, lines| {
            let over = lines.partition_point(|(_, until)| *until <= now);
            lines.drain(..over);
            !lines.is_empty() && is_ready(*key)
        });
        waiting.values().filter_map(VecDeque::front).map(|(_, until)| *until).min()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
