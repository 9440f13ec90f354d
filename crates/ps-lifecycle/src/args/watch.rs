//! What `watch` is told, and the hidden `mend` that it calls.

use clap::ValueEnum;
use formation::Slot;

/// Sees to the containers of an app, or of all: stays in the foreground until it is told to end
///
/// It asks the liveness and readiness checks of app.json: a container that fails the first is
/// replaced, and clients are not led to one that fails the second until it is ready again. It
/// writes the addresses of containers anew where the engine has started them again, and starts an
/// instance anew that the engine has given up, three times at most for one release. What has a
/// schedule, such as the cron of app.json, it runs when it is due. One watch per machine and world
/// is enough; a second one says so and ends with status 75.
///
/// Examples:
///   ps-lifecycle watch --all
///   ps-lifecycle boot enable --watch             # by the init system
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct WatchArgs {
    /// The app
    #[arg(required_unless_present = "all")]
    pub(crate) app: Option<String>,
    /// Every app of docker-local
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
    /// The instance is started anew.
    Start,
    /// It is written down anew where the instances are reached.
    Redirect,
}
