//! What a calling shell can observe of a program: its exit status, its last line on stderr, how its stdout is
//! encoded. Nothing else belongs here: what a shell cannot see lives with the noun it is about.

pub mod exit;
mod format;
pub mod say;
pub mod screen;

pub use format::Format;

/// What `--version` prints behind a program's name: its version, and in brackets the commit that it was built from, where
/// that is known: `1.2.0 (abc1234)`; of a debug build `1.2.0 (debug build)`.
pub const VERSION: &str = env!("FORMATION_VERSION");

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
