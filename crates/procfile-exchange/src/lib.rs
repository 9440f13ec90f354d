//! Files of other process managers, made from a Procfile ([`export`]) and read into one ([`import`]). These formats have a
//! crate of their own so that whoever runs a Procfile has no parser of YAML under it. Pure: bytes come in and values go out;
//! where an import needs another file that a configuration names, its caller hands over the function that reads it.

pub mod compose;
pub mod export;
pub mod import;
mod near;
pub mod pm2;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
