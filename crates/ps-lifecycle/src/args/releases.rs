//! The arguments of the verbs about kept releases.

use super::{RequireArgs, TellingArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    /// The app
    pub(crate) app: String,
    /// The number of the release [default: the one before the running release]
    #[arg(long, value_name = "N")]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) require: RequireArgs,
    #[command(flatten)]
    pub(crate) telling: TellingArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReleasesArgs {
    /// The app
    pub(crate) app: String,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
