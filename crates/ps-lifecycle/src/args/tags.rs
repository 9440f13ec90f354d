//! Verbs about the tags of an app's images.

/// Gives a tag to the image that an app runs: dokku/<app>:<tag>, to be deployed again with deploy --tag
///
/// Examples:
///   ps-lifecycle tag box v1.2
///   ps-lifecycle deploy box --tag v1.2
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TagArgs {
    /// The app
    pub(crate) app: String,
    /// The tag
    pub(crate) tag: Option<String>,
}

/// The tags of an app's images: one row each
#[derive(Debug, clap::Args)]
pub(crate) struct TagsArgs {
    /// The app
    pub(crate) app: String,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
