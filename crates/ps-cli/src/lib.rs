//! What a calling shell can observe of a program: its exit status, its last line on stderr, how its stdout is
//! encoded. Nothing else belongs here: what a shell cannot see lives with the noun it is about.

pub mod exit;
mod format;
pub mod say;
pub mod screen;

pub use format::Format;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
