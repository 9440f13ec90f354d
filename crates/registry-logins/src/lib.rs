//! The credentials for registries of images: those in Docker's config.json, and those of the programs that it names. No message ever
//! contains a credential.

mod advice;
mod helper;
mod logins;

pub use logins::{Logins, Unread};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
