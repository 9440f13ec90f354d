//! Reports which apps may have come, gone or changed: the system reports files that are written. What has changed is
//! left to the caller to read.

mod app_watch;

pub use app_watch::{AppWatch, Changed, TOGETHER};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
