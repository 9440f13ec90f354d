//! Exports a Procfile to files of other process managers ([`export`]) and imports such files ([`import`]). These
//! formats have a crate of their own so that programs which run a Procfile contain no YAML parser. Pure: functions take
//! bytes and return values; if an import needs another file that a configuration names, the caller passes a function
//! that reads it.

pub mod compose;
pub mod export;
pub mod import;
mod near;
pub mod pm2;

pub use near::instead_of;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
