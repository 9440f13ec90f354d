//! The argument that selects one app, some of its instances, or all apps.

use formation::Which;

use super::{AllArgs, RequireArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// The app
    #[arg(required_unless_present = "all")]
    pub(crate) app: Option<String>,
    /// Only this type, or this instance: web, web.1
    #[arg(value_name = "TYPE[.N]", conflicts_with = "all")]
    pub(crate) which: Option<Which>,
    #[command(flatten)]
    pub(crate) all: AllArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) require: RequireArgs,
}
