//! One JSON object per line, as Dokku writes it: all values are strings, the keys are sorted and include the older
//! ones, and `<`, `>`, `&` are escaped as Dokku's encoder does.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;

use crate::flags;
use crate::row::Row;

/// Writes a row. With `with_name` the object has the key `app`.
pub(crate) fn line(row: &Row, with_name: bool, out: &mut dyn Write) -> Result<()> {
    let error = row.error();
    let keys = row.values.iter().flat_map(|(flag, value)| {
        let (key, older) = flags::keys(flag);
        [Some((key, &**value)), older.map(|older| (older, &**value))]
    });
    let others = [with_name.then_some(("app", &*row.name)), error.as_deref().map(|error| ("error", error))];
    // The object is built from all keys at once, which needs one sort, while each single insertion would need a
    // search.
    let object: BTreeMap<&str, &str> = keys.chain(others).flatten().collect();
    Ok(writeln!(out, "{}", escape(serde_json::to_string(&object)?))?)
}

/// In JSON these characters can only occur inside strings, so each of them can be replaced.
fn escape(json: String) -> String {
    // The last two characters begin with this byte in UTF-8.
    if !json.bytes().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2)) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_script_tag_is_escaped_and_reads_back() {
        let mut row = Row::new("demo");
        row.values.insert("--ps-start-cmd".into(), "a <b> && \"c\"\u{2028}".into());
        let mut out = Vec::new();
        line(&row, true, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        let value = r#""a \u003cb\u003e \u0026\u0026 \"c\"\u2028""#;
        assert_eq!(text, format!("{{\"app\":\"demo\",\"ps-start-cmd\":{value},\"start-cmd\":{value}}}\n"));
        let back: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(back["start-cmd"], "a <b> && \"c\"\u{2028}");
    }
}
