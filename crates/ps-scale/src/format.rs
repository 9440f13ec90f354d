//! Prints a formation as text, JSON or CSV, or as the file DOKKU_SCALE that older versions of Dokku wrote.

use clap::ValueEnum;

/// How a formation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[value(alias = "stdout")]
    Text,
    /// One JSON value.
    Json,
    /// CSV with a header.
    Csv,
    /// The file DOKKU_SCALE that older Dokkus generated: a line `<type>=<count>` each.
    DokkuScale,
    /// With a change: what happens meanwhile, one JSON object a line.
    Events,
}
