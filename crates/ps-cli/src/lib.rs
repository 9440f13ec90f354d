//! Everything that a calling shell can observe of every program: its exit status, its error message on stderr, the
//! encoding of its stdout. Code whose effect a shell cannot observe belongs into another crate.

pub mod completion;
pub mod exit;
mod format;
mod room;
pub mod say;
pub mod screen;
pub mod usage;
pub mod worlds;

pub use format::Format;

/// The text of `--version` after a program's name: its version, and in brackets the commit that it was built from, if
/// that is known: `1.2.0 (abc1234)`; for a debug build `1.2.0 (debug build)`.
pub const VERSION: &str = env!("FORMATION_VERSION");

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
