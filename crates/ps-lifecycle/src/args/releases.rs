//! Verbs about the releases that are kept of an app.

use super::TellingArgs;

/// Deploys an earlier release again: the image that it had, or the directory that it ran in if that holds the same as then
///
/// It is a deploy like any other: what runs is replaced once the new instances have passed their
/// checks, and becomes the newest release. The environment and the properties are those of now,
/// and so are the counts of the types that the app has now.
///
/// Examples:
///   ps-lifecycle rollback shop           # the release before the one that runs
///   ps-lifecycle releases shop
///   ps-lifecycle rollback shop --to 12
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RollbackArgs {
    /// The app
    pub(crate) app: String,
    /// The number of the release; without it the one before the release that runs
    #[arg(long, value_name = "N")]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) telling: TellingArgs,
}

/// The releases that are kept of an app, the newest first: one row each
#[derive(Debug, clap::Args)]
pub(crate) struct ReleasesArgs {
    /// The app
    pub(crate) app: String,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
