//! Words that people try as verbs of this program and that something else does.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A word, and what does it.
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

/// What to say of a verb that this program does not have, where something else does it.
pub(crate) fn hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let (_, does) = WORDS.iter().find(|(known, _)| known == word)?;
    Some(format!("ps-lifecycle has no verb {word}: {does} does that"))
}
