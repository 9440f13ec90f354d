//! The arguments of `watch`, and of the hidden verb `mend` that it calls.

use clap::ValueEnum;
use formation::Slot;

#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// The app
    #[arg(required_unless_present = "all")]
    pub(crate) app: Option<String>,
    /// Every app of docker-local, and every app on a swarm that has an address
    #[arg(long, conflicts_with = "app")]
    pub(crate) all: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MendArgs {
    /// The app
    pub(crate) app: String,
    /// What is to be done
    #[arg(value_enum)]
    pub(crate) what: Mending,
    /// The instance
    #[arg(value_name = "TYPE.N")]
    pub(crate) slot: Option<Slot>,
    /// The container that it had
    pub(crate) container: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mending {
    /// Another container takes the place of this one.
    Replace,
    /// The instance is started again.
    Start,
    /// The addresses of the instances are recorded again.
    Redirect,
}
