//! Variables in a Compose file: `$X`, `${X}`, `${X:-otherwise}`, `${X:?reason}`, `${X:+instead}`, each also without the colon, and
//! `$$` for a dollar sign. They are replaced in every value before anything is read.

use std::collections::BTreeSet;

use super::model::ComposeError;
use crate::import::node::Node;
use crate::import::words::name_len;

/// What stands in one another is no deeper than this.
const MAX_DEPTH: usize = 16;

/// The document with its variables replaced; `unset` gets those that have no value.
pub(crate) fn document(
    node: Node,
    place: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    unset: &mut BTreeSet<String>,
) -> Result<Node, ComposeError> {
    Ok(match node {
        Node::Text(text) => {
            let text = replaced(&text, variable, unset, 0).map_err(|why| ComposeError::at(place, why))?;
            Node::Text(text)
        }
        Node::List(items) => {
            let items = items.into_iter().map(|item| document(item, place, variable, unset));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        Node::Map(entries) => {
            let mut replaced = Vec::new();
            for (key, value) in entries {
                let below = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                replaced.push((key, document(value, &below, variable, unset)?));
            }
            Node::Map(replaced)
        }
        other => other,
    })
}

fn replaced(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    unset: &mut BTreeSet<String>,
    depth: usize,
) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err("variables stand in one another too deep".to_owned());
    }
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('$') {
        whole.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        rest = if let Some(behind) = behind.strip_prefix('$') {
            whole.push('$');
            behind
        } else if let Some(inside) = behind.strip_prefix('{') {
            let end = end(inside).ok_or("it has a ${ that is not closed")?;
            whole.push_str(&braced(&inside[..end], variable, unset, depth)?);
            &inside[end + 1..]
        } else {
            let length = name_len(behind);
            if length == 0 {
                return Err("it has a $ before no name: write $$ for a dollar sign".to_owned());
            }
            whole.push_str(&plain(&behind[..length], variable, unset));
            &behind[length..]
        };
    }
    whole.push_str(rest);
    Ok(whole)
}

/// Where the brace is closed that was opened before this text.
fn end(text: &str) -> Option<usize> {
    let mut open = 1;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn plain(name: &str, variable: &dyn Fn(&str) -> Option<String>, unset: &mut BTreeSet<String>) -> String {
    variable(name).unwrap_or_else(|| {
        unset.insert(name.to_owned());
        String::new()
    })
}

fn braced(
    inside: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    unset: &mut BTreeSet<String>,
    depth: usize,
) -> Result<String, String> {
    let (name, behind) = inside.split_at(name_len(inside));
    let (counts_empty, operator) = match behind.strip_prefix(':') {
        Some(operator) => (true, operator),
        None => (false, behind),
    };
    let value = variable(name).filter(|value| !(counts_empty && value.is_empty()));
    let word = operator.get(1..).unwrap_or_default();
    match (name.is_empty(), operator.chars().next(), value) {
        (false, None, _) if !counts_empty => Ok(plain(name, variable, unset)),
        (false, Some('-' | '?'), Some(value)) => Ok(value),
        (false, Some('-'), None) | (false, Some('+'), Some(_)) => replaced(word, variable, unset, depth + 1),
        (false, Some('+'), None) => Ok(String::new()),
        (false, Some('?'), None) => {
            let reason = replaced(word, variable, unset, depth + 1)?;
            let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            Err(format!(
                "the variable {name} must be set{reason}: set it in .env or where the deploy is called"
            ))
        }
        _ => Err(format!("${{{inside}}} makes no sense")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        let variable = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        replaced(text, &variable, &mut BTreeSet::new(), 0)
    }

    #[test]
    fn variables_are_replaced_as_compose_does_it() {
        for (text, meant) in [
            ("a$$b", "a$b"),
            ("$A-${A}x", "1-1x"),
            ("${B:-x}${B-y}", "xy"),
            ("${EMPTY:-x}${EMPTY-y}", "x"),
            ("${A:-x}", "1"),
            ("${B:-${A}}", "1"),
            ("${B:-${C:-{deep}}}", "{deep}"),
            ("${A:+yes}${B:+no}${EMPTY+set}", "yesset"),
            ("$B", ""),
            ("é$A", "é1"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(meant), "{text}");
        }
        for text in ["$", "${A", "${}", "${A!}", "$1", "${A:}"] {
            assert!(of(text).is_err(), "{text}");
        }
        let refused = of("${KEY:?get one}").expect_err("it must be set");
        assert!(refused.contains("KEY") && refused.contains("get one"), "{refused}");
        assert!(of(&"${B:-".repeat(40)).is_err());
    }
}
