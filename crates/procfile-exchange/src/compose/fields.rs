//! The two spellings that Compose has for most things: a list of texts, or a map.

use super::model::{Around, ComposeError};
use crate::import::node::Node;
use crate::import::words;

/// The texts of a list, or the one text; of no value none.
pub(crate) fn texts(place: &str, node: Option<&Node>) -> Result<Vec<String>, ComposeError> {
    match node {
        None | Some(Node::Nothing) => Ok(Vec::new()),
        Some(list @ Node::List(_)) => {
            list.scalars().ok_or_else(|| ComposeError::at(place, "a list of texts is wanted"))
        }
        Some(node) => {
            let text = node.scalar().ok_or_else(|| ComposeError::at(place, "a text or a list is wanted"))?;
            Ok(vec![text])
        }
    }
}

/// Names and values: a map, or a list of `NAME=value`. A name without a value has none.
pub(crate) fn pairs(
    place: &str,
    node: Option<&Node>,
    between: &[char],
) -> Result<Vec<(String, Option<String>)>, ComposeError> {
    match node {
        None | Some(Node::Nothing) => Ok(Vec::new()),
        Some(Node::Map(entries)) => entries
            .iter()
            .map(|(name, value)| match value {
                Node::Nothing => Ok((name.clone(), None)),
                value => {
                    let text = value.scalar();
                    let text =
                        text.ok_or_else(|| ComposeError::at(format!("{place}.{name}"), "a text is wanted"))?;
                    Ok((name.clone(), Some(text)))
                }
            })
            .collect(),
        Some(list) => {
            let pair = |item: String| match item.split_once(between) {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (item, None),
            };
            Ok(texts(place, Some(list))?.into_iter().map(pair).collect())
        }
    }
}

/// The words of a command: a list, or a text that is split as a shell splits it.
pub(crate) fn command(place: &str, node: Option<&Node>) -> Result<Option<Vec<String>>, ComposeError> {
    match node {
        None | Some(Node::Nothing) => Ok(None),
        Some(list @ Node::List(_)) => texts(place, Some(list)).map(Some),
        Some(node) => {
            let text = node.scalar().ok_or_else(|| ComposeError::at(place, "a command is wanted"))?;
            let split = words::split(words::plain(&text));
            let split = split.ok_or_else(|| ComposeError::at(place, "a quote is not closed"))?;
            Ok(Some(split.iter().filter_map(words::literal).map(str::to_owned).collect()))
        }
    }
}

/// A truth value; also as the text in which a variable was replaced.
pub(crate) fn truth(place: &str, node: Option<&Node>) -> Result<Option<bool>, ComposeError> {
    match node.and_then(Node::scalar).as_deref() {
        None | Some("") => Ok(None),
        Some("true" | "yes" | "on" | "1") => Ok(Some(true)),
        Some("false" | "no" | "off" | "0") => Ok(Some(false)),
        Some(other) => Err(ComposeError::at(place, format!("{other:?} is neither true nor false"))),
    }
}

/// A text, or nothing.
pub(crate) fn text(node: Option<&Node>) -> Option<String> {
    node.and_then(Node::scalar).filter(|text| !text.is_empty())
}

/// An absolute path: a relative one is resolved from the file's directory, and `~` is replaced by `HOME`.
pub(crate) fn absolute(around: &Around<'_>, path: &str) -> String {
    let joined = match at_home(around, path) {
        Some(whole) => whole,
        None if path.starts_with('/') => path.to_owned(),
        None => format!("{}/{path}", around.directory),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A path in `~` by its whole name; `None` for any other, and where `HOME` is not set.
pub(crate) fn at_home(around: &Around<'_>, path: &str) -> Option<String> {
    let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let home = (around.variable)("HOME").filter(|home| home.starts_with('/'))?;
    Some(format!("{home}{rest}"))
}
