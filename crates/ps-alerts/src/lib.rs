//! Decides which events of an app become alerts, how they are worded, and who receives them (docs/alerts.md). It
//! delivers nothing itself.

mod alert;
mod audience;
mod summons;

pub use alert::{Alert, Body, ORIGIN, is_told_of_life, is_told_of_verb};
pub use audience::{Audience, Error, TRIGGER, Webhook};
pub use summons::summons;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
