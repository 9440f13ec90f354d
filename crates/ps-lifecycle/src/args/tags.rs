//! The arguments of the verbs about the tags of an app's images.

#[derive(Debug, clap::Args)]
pub(crate) struct TagArgs {
    /// The app
    pub(crate) app: String,
    /// The tag
    pub(crate) tag: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TagsArgs {
    /// The app
    pub(crate) app: String,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
