//! The command lines for keys and typed commands. Typing them in a shell has the same result.

use std::fmt;

use crate::subject::Subject;

/// The verbs that may be typed after `:`, for the selected app.
const VERBS: [&str; 7] = ["start", "stop", "restart", "reload", "reset", "rebuild", "rollback"];

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) program: &'static str,
    pub(crate) arguments: Vec<String>,
}

/// The meaning of a line that was typed after `:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A command, which needs a confirmation.
    Run(Command),
    Quit,
    Help,
    Logs,
    Events,
    Details,
    Filter(String),
    /// An unknown command: a sentence for people.
    Wrong(String),
}

impl Command {
    /// The command of a verb for an app or an instance; inside Dokku it is Dokku's command.
    pub(crate) fn verb(is_dokku: bool, verb: &str, subject: &Subject, more: &[String]) -> Self {
        let mut arguments = vec![if is_dokku { format!("ps:{verb}") } else { verb.to_owned() }];
        arguments.push(subject.app.to_string());
        arguments.extend(subject.slot.as_ref().map(ToString::to_string));
        arguments.extend_from_slice(more);
        Self { program: if is_dokku { "dokku" } else { "ps-lifecycle" }, arguments }
    }

    /// The command that changes counts, such as `web=3`.
    pub(crate) fn scale(is_dokku: bool, app: &str, counts: &[String]) -> Self {
        let (program, first) = if is_dokku { ("dokku", Some("ps:scale")) } else { ("ps-scale", None) };
        let arguments = first.into_iter().chain([app]).map(str::to_owned).chain(counts.iter().cloned());
        Self { program, arguments: arguments.collect() }
    }
}

/// As a person would type it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)?;
        let is_plain = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:=+-".contains(&byte))
        };
        self.arguments.iter().try_for_each(|word| {
            if is_plain(word) {
                return write!(f, " {word}");
            }
            // Only a word with a NUL byte cannot be quoted, and such a word cannot be typed.
            write!(f, " {}", shlex::try_quote(word).unwrap_or_default())
        })
    }
}

/// The meaning of a typed line for the selection.
pub(crate) fn typed(line: &str, subject: Option<&Subject>, is_dokku: bool) -> Typed {
    let Some(words) = shlex::split(line) else { return Typed::Wrong("a quote is not closed".to_owned()) };
    let Some((verb, more)) = words.split_first() else { return Typed::Wrong("nothing was typed".to_owned()) };
    match (verb.as_str(), subject) {
        ("q" | "quit", _) => Typed::Quit,
        ("help", _) => Typed::Help,
        ("logs", _) => Typed::Logs,
        ("events", _) => Typed::Events,
        ("details" | "explain", _) => Typed::Details,
        ("filter", _) => Typed::Filter(more.join(" ")),
        (_, None) => Typed::Wrong("no app is chosen".to_owned()),
        ("scale", Some(_)) if more.is_empty() => Typed::Wrong("scale needs counts, such as web=3".to_owned()),
        ("scale", Some(subject)) => Typed::Run(Command::scale(is_dokku, subject.app.as_str(), more)),
        (verb, Some(subject)) if VERBS.contains(&verb) => {
            // Words typed after a verb name the instances, so the chosen line is not added.
            let whole = Subject { slot: subject.slot.clone().filter(|_| more.is_empty()), ..subject.clone() };
            let is_of_app = matches!(verb, "rebuild" | "rollback");
            let subject = if is_of_app { Subject { slot: None, ..whole } } else { whole };
            Typed::Run(Command::verb(is_dokku, verb, &subject, more))
        }
        (other, Some(_)) => Typed::Wrong(format!(
            "{other} is no command: {}, scale, logs, events, details, filter, help, quit",
            VERBS.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, slot: Option<&str>, is_dokku: bool) -> String {
        let slot = slot.map(|slot| slot.parse().expect("a slot"));
        let subject = Subject { app: "shop".parse().expect("a name"), slot };
        match typed(line, Some(&subject), is_dokku) {
            Typed::Run(command) => command.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_typed_becomes_the_command_line_that_does_the_same() {
        for (line, slot, is_dokku, expected) in [
            ("restart", Some("web.1"), false, "ps-lifecycle restart shop web.1"),
            ("restart web", Some("web.1"), false, "ps-lifecycle restart shop web"),
            ("rebuild", Some("web.1"), false, "ps-lifecycle rebuild shop"),
            ("stop", None, true, "dokku ps:stop shop"),
            ("scale web=3 'a b=1'", None, false, "ps-scale shop web=3 'a b=1'"),
            ("scale web=3", None, true, "dokku ps:scale shop web=3"),
            ("quit", None, false, "Quit"),
            ("filter a b", None, false, "Filter(\"a b\")"),
        ] {
            assert_eq!(run(line, slot, is_dokku), expected);
        }
        assert!(run("destroy", None, false).starts_with("Wrong(\"destroy is no command"));
        assert!(run("stop 'x", None, false).starts_with("Wrong"));
        assert!(matches!(typed("stop", None, false), Typed::Wrong(_)));
    }
}
