//! Calling triggers: hooks that plugins have in `$PLUGIN_PATH/enabled/<plugin>/<trigger>`. Inside Dokku plugn runs them
//! where it is installed; elsewhere they are run here as plugn would (docs/contract.md, triggers), so that a user's
//! hooks work in both homes. What a trigger is for, and what its answer means, is the business of the caller. One question is
//! answered here, because every program asks it: which apps its user may see ([`visible`]). plugn also exports each plugin's
//! configuration to its hooks, as `CONFIG_*`; we do not.

mod child;
mod echo;
mod error;
mod hooks;
mod triggers;
mod visible;

pub use error::Error;
pub use triggers::{Output, Triggers};
pub use visible::{hidden, visible, visible_app};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
