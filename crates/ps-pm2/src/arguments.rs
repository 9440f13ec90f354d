//! Arguments of an app: an array, or a string. pm2 reads a string that begins with a bracket as an array of JavaScript, which it
//! evaluates; here only literals are read, and nothing is evaluated.

use anyhow::{Result, bail};
use procfile_exchange::pm2::as_text;
use serde_json::Value;

/// The arguments that a value says.
pub(crate) fn of(value: &Value) -> Result<Vec<String>> {
    match value {
        Value::Array(words) => Ok(words.iter().map(as_text).collect()),
        Value::String(text) if text.trim_start().starts_with('[') => {
            literals(text.trim()).map_or_else(|| refuse(text), Ok)
        }
        Value::String(text) => split(text).map_or_else(|| refuse(text), Ok),
        other => Ok(vec![as_text(other)]),
    }
}

fn refuse(text: &str) -> Result<Vec<String>> {
    bail!("args: an array of strings is wanted, such as [\"--port\",\"80\"], not {text}")
}

/// The words of a command line: quotes group, and a backslash makes the next character literal.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// `['a', "b", 3]`.
fn literals(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut chars = inner.chars().peekable();
    let mut words = Vec::new();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = chars.next() else { return Some(words) };
        let word =
            if first == '\'' || first == '"' { quoted(&mut chars, first)? } else { bare(&mut chars, first)? };
        words.push(word);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            Some(',') => (),
            None => return Some(words),
            Some(_) => return None,
        }
    }
}

fn quoted(chars: &mut impl Iterator<Item = char>, quote: char) -> Option<String> {
    let mut word = String::new();
    loop {
        match chars.next()? {
            '\\' => word.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            c if c == quote => return Some(word),
            c => word.push(c),
        }
    }
}

/// A number, true or false.
fn bare(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, first: char) -> Option<String> {
    let mut word = String::from(first);
    while let Some(c) = chars.next_if(|c| *c != ',' && !c.is_whitespace()) {
        word.push(c);
    }
    (word.parse::<f64>().is_ok() || word == "true" || word == "false").then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_in_every_spelling_and_nothing_is_evaluated() {
        let read = |json: &str| of(&serde_json::from_str(json).expect("JSON")).ok();
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#""['--x=1 2','-d', '3']""#), words(&["--x=1 2", "-d", "3"]));
        assert_eq!(read(r#"["--x", "1 2", 3]"#), words(&["--x", "1 2", "3"]));
        assert_eq!(read(r#""[\"-a\", \"it's\"]""#), words(&["-a", "it's"]));
        assert_eq!(read(r#""--port 80 'a b'""#), words(&["--port", "80", "a b"]));
        assert_eq!(read(r#""[]""#), words(&[]));
        for bad in [r#""[process.exit()]""#, r#""['a'""#, r#""'a""#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
