//! `--require`: a condition that decides the exit status.

use clap::ValueEnum;

// The option `--require` of a verb that replaces instances.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct RequireArgs {
    /// zero-failed: exit status 1 if a connection to the app's address has failed while its instances were replaced
    #[arg(long, value_enum, value_name = "zero-failed", hide_possible_values = true)]
    require: Option<Requirement>,
}

/// The condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Requirement {
    /// No connection was refused, cut or lost.
    ZeroFailed,
}

impl RequireArgs {
    /// The condition, if one was given.
    pub(crate) fn requirement(self) -> Option<Requirement> {
        self.require
    }
}
