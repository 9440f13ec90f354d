//! The `--format` flag that every listing program shares.

/// How a listing is encoded on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people; byte for byte Dokku's where Dokku prints the same thing.
    #[default]
    #[value(alias = "stdout")]
    Text,
    /// JSON, one document per line for streams.
    Json,
    /// Comma-separated values with a header line.
    Csv,
}
