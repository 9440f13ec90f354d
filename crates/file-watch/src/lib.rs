//! Says which files below some directories have changed, through inotify. Nobody is woken while nothing changes. It refuses to
//! know what is done about a change.

mod ignored;
mod watch;

pub use ignored::Ignored;
pub use watch::FileWatch;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
