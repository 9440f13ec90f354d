//! Reports which apps may have come, gone or changed, from the system's reports about written files. The caller
//! reads what exactly has changed.

mod app_watch;

pub use app_watch::{AppWatch, Changed, TOGETHER};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
