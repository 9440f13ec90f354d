//! YAML documents. Every text is a double-quoted scalar with the escapes of JSON, so that no reader can take it for a number, a truth
//! value or a reference.

use std::fmt::Write as _;

use crate::export::draft::Draft;
use crate::export::text::Text;

/// A value of a document.
pub(crate) enum Yaml {
    Text(String),
    Number(u64),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// A text that came from outside and was checked.
    pub(crate) fn text(text: &Text) -> Self {
        Self::Text(text.as_str().to_owned())
    }

    /// A text that stands in our own source.
    pub(crate) fn own(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A map with its keys in the given order.
    pub(crate) fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.map(|(key, value)| (key.to_owned(), value)).into())
    }

    /// The document.
    pub(crate) fn document(&self) -> String {
        let mut draft = Draft::default();
        self.put(&mut draft, 0);
        draft.finish()
    }

    fn put(&self, draft: &mut Draft, depth: usize) {
        let blanks = "  ".repeat(depth);
        match self {
            Self::Text(_) | Self::Number(_) => draft.line(&format!("{blanks}{}", self.scalar())),
            Self::List(items) => {
                for item in items {
                    item.put_behind(draft, &format!("{blanks}-"), depth);
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    value.put_behind(draft, &format!("{blanks}{}:", quoted_key(key)), depth);
                }
            }
        }
    }

    fn put_behind(&self, draft: &mut Draft, head: &str, depth: usize) {
        match self {
            Self::Text(_) | Self::Number(_) => draft.line(&format!("{head} {}", self.scalar())),
            Self::List(items) if items.is_empty() => draft.line(&format!("{head} []")),
            Self::Map(entries) if entries.is_empty() => draft.line(&format!("{head} {{}}")),
            Self::List(_) | Self::Map(_) => {
                draft.line(head);
                self.put(draft, depth + 1);
            }
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => quoted(text),
            Self::List(_) | Self::Map(_) => String::new(),
        }
    }
}

fn quoted_key(key: &str) -> String {
    let plain = key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') && !is_a_word_of_yaml(key);
    if plain { key.to_owned() } else { quoted(key) }
}

/// Words that some readers take for a truth value or for null, such as `yes`. As keys they are quoted.
fn is_a_word_of_yaml(key: &str) -> bool {
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&key.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // A string takes what is written to it.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
