//! The time of the last activity. The deadline for the answer to a long request counts from the last piece that was
//! sent.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::{Stream, StreamExt};
use hyper::body::Bytes;

/// The time of the last activity, shared by the task that sends the pieces and the one that waits for the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(Arc<Mutex<Option<Instant>>>);

impl Activity {
    /// Passes the pieces on, and records the time of each.
    pub(crate) fn of(
        self,
        pieces: impl Stream<Item = Result<Bytes, io::Error>>,
    ) -> impl Stream<Item = Result<Bytes, io::Error>> {
        pieces.inspect(move |_| *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now()))
    }

    /// When the last piece was sent; `None` if none was.
    pub(crate) fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
