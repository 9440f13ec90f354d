//! What happened to an app: who asked for which verb, what was planned, and how it ended. Events are appended to
//! `data/formation/<app>/journal`, one JSON object per line. The file keeps the newest events, up to one mebibyte
//! (docs/contract.md#files).
//!
//! This crate does not know who reads the journal, and never writes a value of the environment into it. If the journal
//! cannot be written, the verb goes on, and a warning says so once.

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
