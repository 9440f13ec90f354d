//! `prettylist`: the same as `jlist`, in the format in which Node 0.10 prints objects, because scripts count words in
//! it.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::json_list::{Environment, described};
use crate::row::Row;

/// Prints it.
pub(crate) fn print(rows: &[Row<'_>]) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(io::stdout().lock(), "[]");
    }
    let shown: Vec<String> = rows.iter().map(show).collect();
    writeln!(io::stdout().lock(), "[ {} ]", shown.join(",\n  "))
}

fn show(row: &Row<'_>) -> String {
    let mut text =
        format!("{{ pid: {},\n    name: {},\n    pm2_env: \n     {{ ", row.pid, quote(&row.app.name));
    let keys = described(row, Environment::Left);
    let lines: Vec<String> =
        keys.iter().map(|(key, value)| format!("{}: {}", name(key), of(value))).collect();
    text += &lines.join(",\n       ");
    let _ = write!(text, " }},\n    pm_id: {},\n", row.instance.id);
    let _ = write!(text, "    monit: {{ memory: {}, cpu: {} }} }}", row.memory, row.cpu);
    text
}

fn of(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => "[Object]".to_owned(),
        Value::String(text) => quote(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

/// A key as it stands in an object of JavaScript.
fn name(key: &str) -> String {
    let is_plain = !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    if is_plain { key.to_owned() } else { quote(key) }
}
