//! Reports which files below some directories have changed, through inotify. It causes no wake-up while nothing
//! changes. The reaction to a change is left to the caller.

mod growth;
mod ignored;
mod watch;

pub use growth::{Grown, GrowthWatch};
pub use ignored::Ignored;
pub use watch::FileWatch;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
