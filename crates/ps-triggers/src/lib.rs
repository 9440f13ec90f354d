//! Calls triggers: hooks that plugins have in `$PLUGIN_PATH/enabled/<plugin>/<trigger>`. Inside Dokku plugn runs them
//! if it is installed; elsewhere they are run here in the same way (docs/contract.md, triggers), so that a user's
//! hooks work in both places. What a trigger is for, and what its answer means, is left to the caller. One question
//! is answered here, because every program asks it: which apps its user may see ([`visible`]). Unlike plugn, this
//! crate does not export each plugin's configuration to its hooks as `CONFIG_*`.

mod child;
mod echo;
mod error;
mod hooks;
mod triggers;
mod visible;

pub use error::Error;
pub use triggers::{Output, Triggers};
pub use visible::{hidden, visible, visible_app};

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
