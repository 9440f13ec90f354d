//! Calling triggers: hooks that plugins have in `$PLUGIN_PATH/enabled/<plugin>/<trigger>`. Inside Dokku plugn runs them
//! where it is installed; elsewhere they are run here as plugn would (docs/contract.md, triggers), so that a user's
//! hooks work in both homes. What triggers are for, and what their answers mean, is their callers' business; the
//! configuration that plugn exports to hooks as `CONFIG_*` is not.

mod child;
mod error;
mod hooks;
mod triggers;

pub use error::Error;
pub use triggers::{Output, Triggers};
