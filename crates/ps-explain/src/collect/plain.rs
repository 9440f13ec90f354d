//! What a line of output says, without the form that a logger gives it: colours, JSON, and the margin of Python's groups of errors. For
//! example, `{"level":60,"msg":"cannot start","err":{"stack":"Error: refused\n    at open (app.js:3)"}}` says
//!
//! ```text
//! fatal: cannot start
//! Error: refused
//!     at open (app.js:3)
//! ```

use serde_json::{Map, Value};

/// The most lines that a report inside a line of JSON is unfolded into.
const UNFOLDED: usize = 40;
/// Where loggers put what happened, in the order in which they are asked.
const MESSAGES: [&str; 5] = ["msg", "message", "event", "text", "@m"];
/// Where they put the level.
const LEVELS: [&str; 5] = ["level", "severity", "levelname", "lvl", "@l"];
/// Where they put an error: its words, its stack, or an object that has both.
const ERRORS: [&str; 13] = [
    "err",
    "error",
    "exception",
    "exc_info",
    "stack",
    "stack_trace",
    "stacktrace",
    "traceback",
    "cause",
    "reason",
    "detail",
    "details",
    "@x",
];
/// From this number on a level of pino or bunyan is an error; 60 is the last word of a program.
const ERROR: u64 = 50;

/// Reads the lines of a stream in their order.
#[derive(Default)]
pub(super) struct Plain {
    /// Whether a group of errors has begun, in which each line has a margin.
    is_group: bool,
}

impl Plain {
    /// What the next line says, in one or more lines.
    pub(super) fn of(&mut self, line: &str) -> Vec<String> {
        let line = without_colours(line);
        self.is_group |= line.trim_start().starts_with("+ Exception Group Traceback (");
        if self.is_group {
            return vec![without_margin(&line)];
        }
        of_json(&line).unwrap_or_else(|| vec![line])
    }
}

/// Without the sequences by which terminals are told colours and the like.
fn without_colours(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            kept.push(letter);
        } else if letters.next_if_eq(&'[').is_some() {
            // Parameters, up to the letter that ends the sequence.
            while letters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
            letters.next();
        }
    }
    kept
}

/// `  | KeyError: 'a'` without what stands before the bar.
fn without_margin(line: &str) -> String {
    let text = line.trim_start();
    if let Some(rest) = text.strip_prefix("+ Exception Group ") {
        return rest.to_owned();
    }
    if text.starts_with("+-") {
        return String::new();
    }
    text.strip_prefix('|').map_or(line, |rest| rest.strip_prefix(' ').unwrap_or(rest)).to_owned()
}

/// A record of a logger that writes JSON; `None`: the line is none.
fn of_json(line: &str) -> Option<Vec<String>> {
    if !line.starts_with('{') {
        return None;
    }
    let record: Map<String, Value> = serde_json::from_str(line).ok()?;
    let first = |names: &[&str]| names.iter().find_map(|name| record.get(*name));
    let message = first(&MESSAGES).and_then(Value::as_str).unwrap_or_default();
    let mut said = message.to_owned();
    let mut report = Vec::new();
    for told in ERRORS.iter().filter_map(|name| record.get(*name)).filter_map(words_of) {
        if told.contains('\n') {
            report.extend(told.lines().map(str::to_owned));
        } else if !said.contains(&told) {
            said = [said, told].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        }
    }
    if said.is_empty() && report.is_empty() {
        return None;
    }
    let level = first(&LEVELS).and_then(level_of).map(|level| format!("{level}: ")).unwrap_or_default();
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    if let Some(first) = lines.first_mut() {
        first.insert_str(0, &level);
    }
    lines.extend(report);
    lines.truncate(UNFOLDED);
    Some(lines)
}

/// The words of an error, with its stack if that is told.
fn words_of(error: &Value) -> Option<String> {
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    match error {
        Value::String(text) => Some(text.clone()),
        Value::Object(_) => text("stack").or_else(|| text("stack_trace")).or_else(|| text("message")),
        _ => None,
    }
}

/// The name of a level that tells an error; `None` for all others.
fn level_of(level: &Value) -> Option<&'static str> {
    let name = match level {
        Value::Number(number) => match number.as_u64()? {
            number if number > ERROR => "fatal",
            ERROR => "error",
            _ => return None,
        },
        Value::String(name) => name,
        _ => return None,
    };
    ["fatal", "critical", "error", "panic"].into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<String> {
        let mut plain = Plain::default();
        text.lines().flat_map(|line| plain.of(line)).collect()
    }

    #[test]
    fn a_record_of_a_logger_says_its_message_and_its_error() {
        for (line, said) in [
            (r#"{"level":30,"msg":"starting"}"#, &["starting"] as &[&str]),
            (
                r#"{"level":60,"msg":"cannot start","err":{"type":"Error","message":"no","stack":"Error: no\n    at a.js:1"}}"#,
                &["fatal: cannot start", "Error: no", "    at a.js:1"],
            ),
            (
                r#"{"event": "cannot start", "level": "critical", "exception": "Traceback (most recent call last):\nKeyError: 'A'"}"#,
                &["critical: cannot start", "Traceback (most recent call last):", "KeyError: 'A'"],
            ),
            (
                r#"{"level":"FATAL","message":"open store","error":"dial tcp: refused"}"#,
                &["fatal: open store: dial tcp: refused"],
            ),
            (r#"{"level":"error","msg":"it failed: no","err":"no"}"#, &["error: it failed: no"]),
            (r#"{"port": 5000}"#, &[r#"{"port": 5000}"#]),
            (r#"{"msg": "cut o"#, &[r#"{"msg": "cut o"#]),
        ] {
            assert_eq!(plain(line), said, "{line}");
        }
    }

    #[test]
    fn colours_are_left_out() {
        assert_eq!(plain("\u{1b}[1m\u{1b}[31mERROR\u{1b}[0m shop: no port\u{1b}[K"), ["ERROR shop: no port"]);
        assert_eq!(plain("a [1m that was written"), ["a [1m that was written"]);
    }

    #[test]
    fn a_group_of_errors_reads_like_the_reports_that_it_has() {
        let text = "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 7\n  | ExceptionGroup: two\n  \
                    +-+--- 1 ---\n    | Traceback (most recent call last):\n    |   File \"a.py\", line 3\n    | Refused: no\n    +---\n";
        let said = [
            "Traceback (most recent call last):",
            "  File \"a.py\", line 7",
            "ExceptionGroup: two",
            "",
            "Traceback (most recent call last):",
            "  File \"a.py\", line 3",
            "Refused: no",
            "",
        ];
        assert_eq!(plain(text), said);
        assert_eq!(plain("   | let x = 1;"), ["   | let x = 1;"]);
    }
}
