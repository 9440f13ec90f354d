//! The arguments of `proxy`.

use ps_cli::Format;

use super::AddressArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArgs {
    /// The app
    pub(crate) app: String,
    #[command(flatten, next_help_heading = "The app's address")]
    pub(crate) address: AddressArgs,
    /// How the rows are printed; JSON is one object a line. If options are given, rows are printed once these are in
    /// force, but not as text
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl ProxyArgs {
    /// How the rows are printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}
