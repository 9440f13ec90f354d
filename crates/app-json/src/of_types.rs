//! Copies the parts of an app.json that are about single process types from one file into another.

use std::collections::BTreeSet;

use formation::ProcessType;
use serde_json::{Map, Value};

use crate::{Error, document};

/// The keys below which each process type has a part of its own.
const BY_TYPE: [&str; 2] = ["formation", "healthchecks"];

/// An app.json that has the values of another file for these types, and its own for everything else; `None` if nothing is left. Comments
/// are lost.
///
/// # Errors
/// One of the two files is not an app.json.
pub fn with_types_of(
    app_json: Option<&[u8]>,
    other: Option<&[u8]>,
    types: &BTreeSet<ProcessType>,
) -> Result<Option<Vec<u8>>, Error> {
    let (mut document, mut other) = (object(app_json)?, object(other)?);
    for name in BY_TYPE {
        let mut parts = taken(&mut document, name);
        let mut others = taken(&mut other, name);
        for process_type in types {
            parts.remove(process_type.as_str());
            let part = others.remove(process_type.as_str());
            parts.extend(part.map(|part| (process_type.to_string(), part)));
        }
        if !parts.is_empty() {
            document.insert(name.to_owned(), parts.into());
        }
    }
    if document.is_empty() {
        return Ok(None);
    }
    let mut json = serde_json::to_vec_pretty(&document).expect("it is plain data");
    json.push(b'\n');
    Ok(Some(json))
}

fn object(bytes: Option<&[u8]>) -> Result<Map<String, Value>, Error> {
    let text = procfile::text(bytes.unwrap_or_default())?;
    match document::value(text)? {
        Some(Value::Object(object)) => Ok(object),
        _ => Ok(Map::new()),
    }
}

/// Removes and returns the object of a key, whatever the case of its letters.
fn taken(document: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    let key = document.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
    match key.and_then(|key| document.remove(&key)) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_types_move_and_everything_else_stays() {
        let new = br#"{"Formation": {"web": {"quantity": 1}, "a": {"nice": 1}}, "scripts": {}} // new"#;
        let old = br#"{"formation": {"a": {"nice": 2}, "b": {"nice": 3}}, "healthchecks": {"b": []}}"#;
        let types = ["a", "b", "c"].map(|name| name.parse().expect("a type")).into();
        let merged = with_types_of(Some(new), Some(old), &types).expect("both are read").expect("something");
        let merged: Value = serde_json::from_slice(&merged).expect("JSON");
        let wanted = br#"{"formation": {"web": {"quantity": 1}, "a": {"nice": 2}, "b": {"nice": 3}},
            "healthchecks": {"b": []}, "scripts": {}}"#;
        assert_eq!(merged, serde_json::from_slice::<Value>(wanted).expect("JSON"));
        assert_eq!(with_types_of(None, None, &types).expect("nothing is read"), None);
    }
}
