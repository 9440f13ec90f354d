//! `log_date_format`: the date before the lines of an app, in the notation of moment.js, which pm2 uses.

use jiff::Zoned;
use procfile_exchange::pm2::{Declaration, as_text};
use serde_json::Value;

/// What `time` means.
const OF_TIME: &str = "YYYY-MM-DDTHH:mm:ss";
/// Each word of the notation, and the same for `strftime`. A word comes before those that it begins with.
const WORDS: [(&str, &str); 25] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("DDDD", "%j"),
    ("DD", "%d"),
    ("D", "%-d"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("SSS", "%3f"),
    ("A", "%p"),
    ("a", "%P"),
    ("ZZ", "%z"),
    ("Z", "%:z"),
    ("X", "%s"),
];

/// The format that the keys of an app ask for.
pub(crate) fn format_of(keys: &[(String, Value)]) -> Option<String> {
    let declared = Declaration(keys.to_vec());
    let named = declared.get("log_date_format").filter(|format| format.is_string()).map(as_text);
    let is_timed = || matches!(declared.get("time").map(as_text).as_deref(), Some("true"));
    named.filter(|format| !format.is_empty()).or_else(|| is_timed().then(|| OF_TIME.to_owned()))
}

/// A time in a format. Text in `[…]` stays, and so does what is no word of the notation.
pub(crate) fn dated(format: &str, at: &Zoned) -> String {
    let (mut date, mut rest) = (String::new(), format);
    while let Some(first) = rest.chars().next() {
        if let Some((literal, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            date.push_str(literal);
            rest = behind;
        } else if let Some((word, ours)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            date.push_str(&at.strftime(ours).to_string());
            rest = &rest[word.len()..];
        } else if let Some(behind) = rest.strip_prefix('x') {
            date.push_str(&at.timestamp().as_millisecond().to_string());
            rest = behind;
        } else {
            date.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    date
}

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_written_as_moment_writes_it() {
        let zone = TimeZone::fixed(offset(2));
        let at = "2026-03-07T22:05:09.042Z".parse::<jiff::Timestamp>().expect("a time").to_zoned(zone);
        for (format, date) in [
            ("YYYY-MM-DD HH:mm:ss.SSS Z", "2026-03-08 00:05:09.042 +02:00"),
            ("ddd D MMM YY, h:m:s a ZZ", "Sun 8 Mar 26, 12:5:9 am +0200"),
            ("[YYYY] X x 100%", "YYYY 1772921109 1772921109042 100%"),
            (OF_TIME, "2026-03-08T00:05:09"),
        ] {
            assert_eq!(dated(format, &at), date);
        }
    }

    #[test]
    fn an_app_has_the_format_that_it_names_or_that_of_time() {
        let of = |key: &str, value: Value| format_of(&[(key.to_owned(), value)]);
        assert_eq!(of("logDateFormat", json!("HH:mm")).as_deref(), Some("HH:mm"));
        assert_eq!(of("time", json!(true)).as_deref(), Some(OF_TIME));
        assert_eq!((of("time", json!(false)), of("log_date_format", json!(""))), (None, None));
    }
}
