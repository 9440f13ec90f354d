//! The credentials that registries of images are given: those of Docker's config.json, and those that the programs keep which it names. No
//! credential is ever part of a message.

mod advice;
mod helper;
mod logins;

pub use logins::{Logins, Unread};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
