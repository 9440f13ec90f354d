//! How a verb tells what it does.

use clap::ValueEnum;

use super::Verb;

/// The option `--format` of a verb that changes what runs.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct TellingArgs {
    /// json: nothing but events on stdout, an object a line; the last one says how it ended
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
    /// Whether stdout is for events.
    pub(crate) fn is_json(self) -> bool {
        self.format == Manner::Json
    }
}

/// A verb of which it is told what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling<'a> {
    pub(crate) verb: &'a str,
    /// Whether another program writes the last event, because this is a part of what it does.
    pub(crate) is_part: bool,
    /// The app, unless it is done to all.
    pub(crate) app: Option<&'a str>,
    pub(crate) is_json: bool,
}

impl Verb {
    /// `None`: it changes no instance, or only says what it would change.
    pub(crate) fn telling(&self) -> Option<Telling<'_>> {
        let of = |verb, app, telling: TellingArgs| {
            Some(Telling { verb, is_part: false, app, is_json: telling.is_json() })
        };
        match self {
            Self::Deploy(args) if !args.dry_run => of("deploy", Some(&args.app), args.telling),
            Self::Converge(args) if !args.dry_run => Some(Telling {
                verb: args.part_of.as_deref().unwrap_or("converge"),
                is_part: args.part_of.is_some(),
                app: Some(&args.app),
                is_json: args.telling.is_json(),
            }),
            Self::Start(args) => of("start", args.app.as_deref(), args.all.telling),
            Self::Stop(args) => of("stop", args.app.as_deref(), args.all.telling),
            Self::Restart(args) => of("restart", args.app.as_deref(), args.all.telling),
            Self::Reload(args) => of("reload", args.app.as_deref(), args.all.telling),
            Self::Reset(args) => of("reset", args.app.as_deref(), args.all.telling),
            Self::Rebuild(args) => of("rebuild", args.app.as_deref(), args.all.telling),
            Self::Restore(args) => of("restore", args.app.as_deref(), args.all.telling),
            Self::Rollback(args) => of("rollback", Some(&args.app), args.telling),
            _ => None,
        }
    }
}
