//! Which events of an app are told to people, in which words, who is to hear of them, and how that begins
//! (docs/alerts.md). It tells nobody itself, and knows no connection.

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
