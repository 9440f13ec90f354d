//! Words that people try as verbs of this program, although another program does what they mean.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Each word, and the command that does what it means.
const WORDS: [(&str, &str); 14] = [
    ("scale", "ps-scale <app> <type>=<number>"),
    ("set", "ps-set <app> <property> <value>"),
    ("get", "ps-report <app>"),
    ("report", "ps-report <app>"),
    ("describe", "ps-report <app>"),
    ("explain", "ps-explain <app>"),
    ("why", "ps-explain <app>"),
    ("top", "ps-top"),
    ("monit", "ps-top"),
    ("web", "ps-web"),
    ("list", "ps-lifecycle status"),
    ("ls", "ps-lifecycle status"),
    ("ps", "ps-lifecycle status"),
    ("delete", "ps-lifecycle destroy <app>"),
];

/// The hint for a verb that this program does not have, if another program has it.
pub(crate) fn hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let (_, does) = WORDS.iter().find(|(known, _)| known == word)?;
    Some(format!("ps-lifecycle has no verb {word}: {does} does that"))
}
