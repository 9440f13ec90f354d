//! What happened to an app: who asked for what, what was planned, and how it ended. Events are appended to
//! `data/formation/<app>/journal`, a JSON object a line, which keeps the newest mebibyte (docs/contract.md#files).
//!
//! It does not know who reads the journal, and never contains a value of the environment. If the journal cannot be written,
//! the verb goes on, and a warning says so once.

mod arguments;
mod event;
mod journal;
mod last_words;
mod lives;
mod slots;
mod unread;
mod words;

pub use arguments::{abridged, redacted};
pub use event::{Asker, Change, Entry, Event, Outcome};
pub use journal::{Contents, Journal, ON_BEHALF_OF};
pub use last_words::LastWords;
pub use lives::{Lived, lives_at};
pub use slots::grouped;
pub use unread::{News, Unread};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
