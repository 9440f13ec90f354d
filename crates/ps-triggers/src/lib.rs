//! Calling triggers: hooks that plugins have in `$PLUGIN_PATH/enabled/<plugin>/<trigger>`. Inside Dokku plugn runs them
//! where it is installed; elsewhere they are run here as plugn would (docs/contract.md, triggers), so that a user's
//! hooks work in both homes. What a trigger is for, and what its answer means, is its callers' business, but for the one
//! question that every program asks: which apps its caller may know of ([`visible`]). The configuration that plugn exports to hooks as `CONFIG_*` is refused.

mod child;
mod echo;
mod error;
mod hooks;
mod triggers;
mod visible;

pub use error::Error;
pub use triggers::{Output, Triggers};
pub use visible::{hidden, visible, visible_app};
