//! Wrong usage, as clap describes it, without what is not offered to people.

use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// The error without suggestions of verbs that `command` hides: they are for other programs.
pub fn without_hidden(mut error: clap::Error, command: &Command) -> clap::Error {
    let kind = ContextKind::SuggestedSubcommand;
    let Some(suggested) = error.remove(kind) else { return error };
    let is_hidden =
        |name: &str| command.get_subcommands().any(|verb| verb.get_name() == name && verb.is_hide_set());
    let offered: Vec<String> = match suggested {
        ContextValue::String(name) => vec![name],
        ContextValue::Strings(names) => names,
        other => {
            error.insert(kind, other);
            return error;
        }
    };
    let offered: Vec<String> = offered.into_iter().filter(|name| !is_hidden(name)).collect();
    if !offered.is_empty() {
        error.insert(kind, ContextValue::Strings(offered));
    } else if matches!(error.get(ContextKind::Suggested), Some(ContextValue::StyledStrs(none)) if none.is_empty())
    {
        // clap would leave a line empty for it.
        error.remove(ContextKind::Suggested);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_verb_is_never_suggested() {
        let command = || {
            let verbs =
                [Command::new("mend").hide(true), Command::new("send"), Command::new("inner").hide(true)];
            Command::new("program").subcommands(verbs)
        };
        let says = |word: &str| {
            let refused = command().try_get_matches_from(["program", word]).expect_err("it is no verb");
            without_hidden(refused, &command()).to_string()
        };
        let (both, none) = (says("tend"), says("iner"));
        assert!(both.contains("'send'") && !both.contains("'mend'"), "{both}");
        assert!(none.contains("unrecognized subcommand 'iner'") && !none.contains("similar"), "{none}");
    }
}
