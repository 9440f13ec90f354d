//! Words that people try as verbs of this program, although another program does what they mean.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use formation::SignalName;

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

/// The command that `signal` was probably meant to be, if the signal does not come first, as in `signal shop HUP`. `words` is the whole
/// command line.
pub(crate) fn order_of_signal(words: &[OsString]) -> Option<String> {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let verb = words.iter().position(|word| *word == "signal")?;
    let rest: Vec<&str> = words[verb + 1..].iter().copied().filter(|word| !word.starts_with('-')).collect();
    let signal = rest.iter().position(|word| word.parse::<SignalName>().is_ok()).filter(|at| *at > 0)?;
    let others: Vec<&str> =
        rest.iter().enumerate().filter(|(at, _)| *at != signal).map(|(_, word)| *word).collect();
    let (first, signal, others) = (rest[0], rest[signal], others.join(" "));
    Some(format!("{first:?} is no signal: the signal comes first, ps-lifecycle signal {signal} {others}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_behind_the_app_is_put_before_it() {
        let of = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            order_of_signal(&words)
        };
        let says = |first: &str, rest: &str| {
            Some(format!("\"{first}\" is no signal: the signal comes first, ps-lifecycle signal {rest}"))
        };
        assert_eq!(of("ps-lifecycle signal shop HUP"), says("shop", "HUP shop"));
        assert_eq!(of("ps-lifecycle signal --main shop web.1 SIGUSR1"), says("shop", "SIGUSR1 shop web.1"));
        assert_eq!((of("ps-lifecycle signal TREM shop"), of("ps-lifecycle signal HUP shop")), (None, None));
    }
}
