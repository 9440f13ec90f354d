//! `--format`: how a verb reports its progress.

use clap::ValueEnum;

// The option `--format` of a verb that changes what runs. No documentation: the help of the verb would show it in place of its own.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct TellingArgs {
    /// json: only events on stdout, one object a line; the last one says how the verb ended
    #[arg(
        long = "format",
        value_enum,
        default_value = "text",
        value_name = "text|json",
        hide_default_value = true
    )]
    #[arg(hide_possible_values = true)]
    format: Manner,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Manner {
    /// Lines for people.
    #[default]
    Text,
    /// Events.
    Json,
}

impl TellingArgs {
    /// Whether stdout is only for events.
    pub(crate) fn is_json(self) -> bool {
        self.format == Manner::Json
    }
}

/// A verb that reports its progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling<'a> {
    pub(crate) verb: &'a str,
    /// Whether the verb is a part of another program's work, which writes the last event itself.
    pub(crate) is_part: bool,
    /// The app; `None` if the verb is for all apps.
    pub(crate) app: Option<&'a str>,
    pub(crate) is_json: bool,
}
