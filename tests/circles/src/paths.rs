//! The paths in the tokens of a file.

/// A path that stands in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its words: `crate`, `a`, `B`. The last one of an import may be `self` or `*`.
    pub(crate) words: Vec<String>,
    /// Whether the file only hands the name on (`pub use`).
    pub(crate) handed_on: bool,
}

/// The paths of more than one word, and all those of a `use`, with its groups taken apart.
pub(crate) fn paths(tokens: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_use = tokens[at] == "use";
        let start = at + usize::from(is_use);
        let mut leaves = Vec::new();
        let end = tree(tokens, start, &[], &mut leaves);
        let handed_on = is_use && is_public(&tokens[..at]);
        leaves.retain(|words| is_use || words.len() > 1);
        found.extend(leaves.into_iter().map(|words| Named { words, handed_on }));
        at = end.max(at + 1);
    }
    found
}

fn is_public(before: &[String]) -> bool {
    match before {
        [.., word] if word == "pub" => true,
        [.., word, open, _, close] => word == "pub" && open == "(" && close == ")",
        _ => false,
    }
}

/// Reads `a::{b, c::D}` at a token into `leaves`, each behind `prefix`, and says where it ends.
fn tree(tokens: &[String], mut at: usize, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut words = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") if words.len() > prefix.len() => return group(tokens, at + 1, &words, leaves),
            Some(word) if word == "*" || is_name(word) => words.push(word.to_owned()),
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    if words.len() > prefix.len() {
        leaves.push(words);
    }
    at
}

fn group(tokens: &[String], mut at: usize, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    while tokens.get(at).is_some_and(|token| token != "}") {
        let end = tree(tokens, at, prefix, leaves).max(at + 1);
        // Whatever stands behind a path, `as Other` and the comma, is no path.
        let rest = tokens[end..].iter().take_while(|token| !matches!(token.as_str(), "," | "}")).count();
        at = end + rest + usize::from(tokens.get(end + rest).is_some_and(|token| token == ","));
    }
    at + 1
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokens;

    fn found(text: &str) -> Vec<String> {
        let mark = |named: &Named| if named.handed_on { " on" } else { "" };
        paths(&tokens(text)).iter().map(|named| named.words.join("::") + mark(named)).collect()
    }

    #[test]
    fn groups_are_taken_apart() {
        let text = "use crate::a::{self, b::{C, d as e}, F};\nfn f() -> super::G { h::i(j) }";
        let wanted =
            ["crate::a::self", "crate::a::b::C", "crate::a::b::d", "crate::a::F", "super::G", "h::i"];
        assert_eq!(found(text), wanted);
    }

    #[test]
    fn names_that_are_handed_on_are_known() {
        assert_eq!(found("pub use a::B;\npub(crate) use c::*;\nuse d;"), ["a::B on", "c::* on", "d"]);
    }
}
