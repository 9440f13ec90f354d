//! The arguments of `apply`.

use std::path::PathBuf;

use clap::ValueEnum;
use formation::ProcessType;

use super::TellingArgs;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct ApplyArgs {
    /// The declaration; -: read it from standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The app [default: the name that the file gives, or that of its directory]
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// The format of the file [default: by its name, else by its content]
    #[arg(long, value_name = "MANAGER", value_enum)]
    pub(crate) from: Option<DeclarationFormat>,
    /// Only these types of the file, and of a Compose file what they depend on; the others stay as they are
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    pub(crate) only: Vec<ProcessType>,
    /// End the types that this file has created and does not name any more; they are listed first
    #[arg(long)]
    pub(crate) prune: bool,
    /// Refuse a file with unknown keys
    #[arg(long)]
    pub(crate) strict: bool,
    /// Allow that node runs a declaration that is written in JavaScript
    #[arg(long)]
    pub(crate) allow_js: bool,
    /// Print the declaration as Procfile, app.json, variables and counts; change nothing
    #[arg(long, group = "looks")]
    pub(crate) print: bool,
    /// Print what differs; change nothing
    #[arg(long, group = "looks")]
    pub(crate) diff: bool,
    /// Print what would happen to each instance; change nothing
    #[arg(long, group = "looks")]
    pub(crate) dry_run: bool,
    /// With --dry-run: one JSON object a line
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) telling: TellingArgs,
}

/// Whose declaration a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeclarationFormat {
    /// Compose: its services run in containers
    Compose,
    /// pm2: JSON, YAML, or JavaScript with --allow-js
    Pm2,
    /// process-compose
    ProcessCompose,
    /// A Procfile, with the app.json beside it
    Procfile,
    /// supervisord
    Supervisord,
}

impl ApplyArgs {
    /// Whether nothing is changed.
    pub(crate) fn only_looks(&self) -> bool {
        self.print || self.diff || self.dry_run
    }
}
