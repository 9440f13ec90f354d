//! Text that can be written into a unit, and how each format writes it. No exporter puts a value into a file in any
//! other way, so nothing in a Procfile, an env file or a path can add a directive, leave a quote or run a command.

use std::fmt;

use crate::export::error::ExportError;

/// UTF-8 text without control characters other than tab and line ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(String);

impl Text {
    /// Checks a value. `what` names it in the error.
    pub fn new(what: &str, bytes: &[u8]) -> Result<Self, ExportError> {
        let bad = |why: String| ExportError::Value { what: what.to_owned(), why };
        let text = std::str::from_utf8(bytes).map_err(|_| bad("is not UTF-8".to_owned()))?;
        match text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            Some(c) => Err(bad(format!("holds the control character U+{:04X}", u32::from(c)))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as a value that fills the rest of a line of a systemd unit.
    pub(crate) fn unit_value(&self) -> String {
        self.0.replace('%', "%%")
    }

    /// The text as one quoted word of a systemd unit, as in `Environment=`. systemd expands no `$` there.
    pub(crate) fn unit_word(&self) -> String {
        format!("\"{}\"", self.unit_escaped('"'))
    }

    /// The text as one quoted argument of `ExecStart=`, where systemd expands `$`: each is written twice.
    pub(crate) fn unit_argument(&self) -> String {
        format!("'{}'", self.unit_escaped('\'').replace('$', "$$"))
    }

    fn unit_escaped(&self, quote: char) -> String {
        let mut escaped = String::with_capacity(self.0.len() + 8);
        for c in self.0.chars() {
            match c {
                '%' => escaped.push_str("%%"),
                '\n' => escaped.push_str("\\n"),
                '\r' => escaped.push_str("\\r"),
                '\t' => escaped.push_str("\\t"),
                '\\' => escaped.push_str("\\\\"),
                c if c == quote => {
                    escaped.push('\\');
                    escaped.push(c);
                }
                c => escaped.push(c),
            }
        }
        escaped
    }

    /// The text as one word of a POSIX shell, quoted only if it must be.
    pub(crate) fn shell_word(&self) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
        if !self.0.is_empty() && self.0.bytes().all(plain) {
            return self.0.clone();
        }
        format!("'{}'", self.0.replace('\'', "'\"'\"'"))
    }

    /// The text as the content of an XML element.
    pub(crate) fn xml(&self) -> String {
        let mut escaped = String::with_capacity(self.0.len() + 8);
        for c in self.0.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '\r' => escaped.push_str("&#13;"),
                // XML 1.0 does not permit this character in any form.
                '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
                c => escaped.push(c),
            }
        }
        escaped
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An absolute path without `..` or line ends, which every format can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsolutePath(Text);

impl AbsolutePath {
    /// Checks a path. `what` names it in the error.
    pub fn new(what: &str, bytes: &[u8]) -> Result<Self, ExportError> {
        let text = Text::new(what, bytes)?;
        let bad = |why: &str| Err(ExportError::Value { what: what.to_owned(), why: why.to_owned() });
        let path = text.as_str();
        if !path.starts_with('/') {
            return bad("is not an absolute path");
        }
        if path.split('/').any(|part| part == "..") {
            return bad("leads upwards with ..");
        }
        if path.contains(['\n', '\r', '\t']) || path.ends_with([' ', '\\']) {
            return bad("cannot be written into a unit");
        }
        Ok(Self(text))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// A path below this one.
    pub(crate) fn join(&self, below: &str) -> Text {
        Text(format!("{}/{below}", self.as_str().trim_end_matches('/')))
    }

    pub(crate) fn text(&self) -> &Text {
        &self.0
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of an app, a user or a group: `[A-Za-z0-9_][A-Za-z0-9_.@-]*`, plain in every format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks a name. `what` names it in the error.
    pub fn new(what: &'static str, name: &str) -> Result<Self, ExportError> {
        let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let rest = |byte: u8| first(byte) || b".@-".contains(&byte);
        let legal = name.bytes().next().is_some_and(first) && name.bytes().all(rest) && name.len() <= 200;
        if legal { Ok(Self(name.to_owned())) } else { Err(ExportError::Name { what, name: name.to_owned() }) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text::new("test", text.as_bytes()).expect("legal")
    }

    #[test]
    fn every_format_has_its_own_escapes() {
        let value = text("a'b\"c\\d%e$f<g>&\n\t");
        assert_eq!(value.unit_word(), r#""a'b\"c\\d%%e$f<g>&\n\t""#);
        assert_eq!(value.unit_argument(), r#"'a\'b"c\\d%%e$$f<g>&\n\t'"#);
        assert_eq!(value.shell_word(), "'a'\"'\"'b\"c\\d%e$f<g>&\n\t'");
        assert_eq!(value.xml(), "a'b\"c\\d%e$f&lt;g&gt;&amp;\n\t");
        assert_eq!(text("a-b.c").shell_word(), "a-b.c");
        assert_eq!(text("").shell_word(), "''");
    }

    #[test]
    fn what_no_format_holds_is_refused() {
        for bytes in [&b"\xff"[..], b"\0", b"\x1b[1m", b"\x7f", "\u{85}".as_bytes()] {
            assert!(Text::new("test", bytes).is_err(), "{bytes:?}");
        }
        for path in ["", "x", "../x", "/a/../b", "/a\nb", "/a\\", "/a "] {
            assert!(AbsolutePath::new("test", path.as_bytes()).is_err(), "{path:?}");
        }
        for name in ["", "a/b", "-a", ".a", "a b", "a%d", "a\n", "é"] {
            assert!(Name::new("app", name).is_err(), "{name:?}");
        }
    }
}
