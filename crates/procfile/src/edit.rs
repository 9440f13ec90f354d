//! Edits of a Procfile. Each returns new bytes and changes only the line of the process type that is edited.
//! Comments, blank lines, order, alignment and the line ends of other lines stay. A name or command that would be
//! read back differently is refused.
//!
//! A line consists of its bytes and the line end behind them; the last line may have no line end. Deleting removes
//! exactly that, so the line above keeps its end: `web: a\nworker: b` without `worker` is `web: a\n`. If a line is
//! appended behind one without an end, that line first gets the line end that the file uses, and the appended line
//! has none.

use std::ops::Range;

use formation::ProcessType;

use crate::document::{Entry, Procfile};
use crate::grammar;
use crate::space;
use crate::text::BOM;

/// Where an entry that is new to the file goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Behind all other lines.
    #[default]
    Append,
    /// Before the first entry whose name sorts after it, and before the comment that stands above that entry.
    InOrder,
}

/// Why an entry cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The name would not be read as a name.
    #[error("invalid process type: {0:?}")]
    InvalidName(String),
    /// The command is empty.
    #[error("command must not be empty")]
    EmptyCommand,
    /// A command that contains a line end would become two lines.
    #[error("command must be a single line")]
    SeveralLines,
    /// The grammar would read a different command back, for example because it cuts a comment.
    #[error("command would be read back as {0:?}: a blank before # or // begins a comment")]
    ReadsDifferently(String),
    /// The grammar would read the command back without the white space at its ends.
    #[error("command would be read back as {0:?}: blanks at its ends are not part of it")]
    Trimmed(String),
    /// The grammar would read no entry back at all.
    #[error("command would not be read back: {0}")]
    Unreadable(String),
}

impl Procfile {
    /// The bytes with the command of `name` changed, or with a new entry. A trailing comment of a changed line stays.
    ///
    /// ```
    /// use procfile::{Placement, Procfile};
    ///
    /// let file = Procfile::parse(b"# apps\nweb: old  # public\n")?;
    /// let changed = file.set("web", b"new", Placement::Append)?;
    /// assert_eq!(changed, b"# apps\nweb: new  # public\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&self, name: &str, command: &[u8], placement: Placement) -> Result<Vec<u8>, EditError> {
        self.refuse_unreadable(name, command)?;
        let changed = match self.get(name) {
            Some(entry) => splice(self.as_bytes(), self.range_of(&entry), command),
            None => self.with_new(name, command, placement),
        };
        match Procfile::parse_with(changed, self.options()) {
            Ok(file) => match file.get(name) {
                Some(entry) if entry.command == command => Ok(file.into_bytes()),
                Some(entry) => Err(reads_differently(command, entry.command)),
                None => Err(EditError::InvalidName(name.to_owned())),
            },
            Err(error) => Err(EditError::Unreadable(error.to_string())),
        }
    }

    /// The bytes without the line of `name` and its line end. If there is no such entry, all bytes are returned.
    ///
    /// ```
    /// let file = procfile::Procfile::parse(b"web: a\nworker: b")?;
    /// assert_eq!(file.delete("worker"), b"web: a\n");
    /// assert_eq!(file.delete("web"), b"worker: b");
    /// # Ok::<(), procfile::ParseError>(())
    /// ```
    pub fn delete(&self, name: &str) -> Vec<u8> {
        match self.get(name) {
            Some(entry) => splice(self.as_bytes(), self.whole_line(self.range_of(&entry).start), b""),
            None => self.as_bytes().to_vec(),
        }
    }

    /// The entries alone, sorted by name, as Dokku's own tool writes them: without comments and blank lines. A
    /// command that itself contains a comment loses one each time: `web: a # b # c` is written as `web: a # b`, which
    /// is read as `a`.
    pub fn canonical(&self) -> Vec<u8> {
        canonical(self.sorted(), self.options().delimiter.as_bytes())
    }

    /// Whether [`Procfile::canonical`] would change nothing but the order: there are no comments and no blank lines,
    /// one blank follows each delimiter, and every line ends with LF.
    pub fn is_plain(&self) -> bool {
        let delimiter = self.options().delimiter.as_bytes();
        let mut rest = self.as_bytes();
        for entry in self.entries() {
            for part in [entry.name.as_bytes(), delimiter, b" ", entry.command, b"\n"] {
                let Some(behind) = rest.strip_prefix(part) else { return false };
                rest = behind;
            }
        }
        rest.is_empty()
    }

    /// Like [`Procfile::canonical`], but with a new command for `name`.
    pub fn canonical_with(&self, name: &str, command: &[u8]) -> Result<Vec<u8>, EditError> {
        let changed = self.set(name, command, Placement::Append)?;
        let file = Procfile::parse_with(changed, self.options())
            .map_err(|error| EditError::Unreadable(error.to_string()))?;
        Ok(file.canonical())
    }

    /// Like [`Procfile::canonical`], but without `name`.
    pub fn canonical_without(&self, name: &str) -> Vec<u8> {
        let kept: Vec<_> = self.sorted().filter(|entry| entry.name != name).collect();
        canonical(kept.into_iter(), self.options().delimiter.as_bytes())
    }

    fn refuse_unreadable(&self, name: &str, command: &[u8]) -> Result<(), EditError> {
        let invalid_name = || EditError::InvalidName(name.to_owned());
        name.parse::<ProcessType>().map_err(|_| invalid_name())?;
        if space::trim_start(command).is_empty() {
            return Err(EditError::EmptyCommand);
        }
        if command.contains(&b'\n') {
            return Err(EditError::SeveralLines);
        }
        let alone = self.new_line(name, command);
        match grammar::read(&alone, self.options()) {
            grammar::Line::Entry { name: read, .. } if alone[read.clone()] != *name.as_bytes() => {
                Err(invalid_name())
            }
            grammar::Line::Entry { command: read, .. } if alone[read.clone()] != *command => {
                Err(reads_differently(command, &alone[read]))
            }
            grammar::Line::Entry { .. } => Ok(()),
            grammar::Line::Unusable { kind, .. } => Err(EditError::Unreadable(kind.words().to_owned())),
            grammar::Line::Nothing | grammar::Line::Broken { .. } => Err(invalid_name()),
        }
    }

    fn new_line(&self, name: &str, command: &[u8]) -> Vec<u8> {
        [name.as_bytes(), self.options().delimiter.as_bytes(), b" ", command].concat()
    }

    fn with_new(&self, name: &str, command: &[u8], placement: Placement) -> Vec<u8> {
        let line = self.new_line(name, command);
        let next = match placement {
            Placement::Append => None,
            Placement::InOrder => self.entries().find(|entry| entry.name > name),
        };
        let (bytes, line_end) = (self.as_bytes(), self.line_end());
        match next {
            Some(next) => {
                let at = self.with_its_comment(self.line_start(self.range_of(&next).start));
                splice(bytes, at..at, &[&line, line_end].concat())
            }
            None if bytes.ends_with(b"\n") => [bytes, &line, line_end].concat(),
            // The reader drops one CR before a line end. A CR that is part of the command therefore needs a CR LF
            // behind it.
            None if bytes.ends_with(b"\r") => [bytes, b"\r\n", &line].concat(),
            None => [bytes, line_end, &line].concat(),
        }
    }

    /// The line end of the last complete line.
    fn line_end(&self) -> &'static [u8] {
        let bytes = self.as_bytes();
        let last = memchr::memrchr(b'\n', bytes).unwrap_or(0);
        if bytes[..last].ends_with(b"\r") { b"\r\n" } else { b"\n" }
    }

    /// The range of the command of an entry in the bytes.
    fn range_of(&self, entry: &Entry<'_>) -> Range<usize> {
        let start = self.command_start(entry.name);
        start..start + entry.command.len()
    }

    /// Where a line and its line end lie; the last line may have no line end.
    fn whole_line(&self, inside: usize) -> Range<usize> {
        let bytes = self.as_bytes();
        let end = memchr::memchr(b'\n', &bytes[inside..]).map_or(bytes.len(), |lf| inside + lf + 1);
        self.line_start(inside)..end
    }

    fn line_start(&self, inside: usize) -> usize {
        let bytes = self.as_bytes();
        let body = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
        memchr::memrchr(b'\n', &bytes[..inside]).map_or(body, |lf| lf + 1)
    }

    /// Where the block of comment lines right above a line begins.
    fn with_its_comment(&self, line_start: usize) -> usize {
        let bytes = self.as_bytes();
        let mut start = line_start;
        while start > 0 && bytes[start - 1] == b'\n' {
            let above = self.line_start(start - 1);
            if !grammar::is_comment(bytes[above..start].trim_ascii()) {
                break;
            }
            start = above;
        }
        start
    }
}

fn canonical<'a>(entries: impl Iterator<Item = Entry<'a>>, delimiter: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in entries {
        for part in [entry.name.as_bytes(), delimiter, b" ", entry.command, b"\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

fn splice(bytes: &[u8], range: Range<usize>, by: &[u8]) -> Vec<u8> {
    [&bytes[..range.start], by, &bytes[range.end..]].concat()
}

fn reads_differently(meant: &[u8], read: &[u8]) -> EditError {
    let trimmed = space::trim_end(space::trim_start(meant)) == read;
    if trimmed { EditError::Trimmed(lossy(read)) } else { EditError::ReadsDifferently(lossy(read)) }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, name: &str, command: &str, placement: Placement) -> Result<String, EditError> {
        let file = Procfile::parse(text.as_bytes()).expect("legal");
        let bytes = file.set(name, command.as_bytes(), placement)?;
        Ok(String::from_utf8(bytes).expect("text"))
    }

    fn delete(text: &str, name: &str) -> String {
        let file = Procfile::parse(text.as_bytes()).expect("legal");
        String::from_utf8(file.delete(name)).expect("text")
    }

    #[test]
    fn a_changed_command_leaves_the_rest_of_its_line() {
        let text = "\u{feff}# c\r\n  web  :   a b  # x\r\n\r\nworker: b";
        let changed = "\u{feff}# c\r\n  web  :   z  # x\r\n\r\nworker: b";
        assert_eq!(set(text, "web", "z", Placement::Append).as_deref(), Ok(changed));
    }

    #[test]
    fn set_then_delete_restores_every_byte_and_leaves_an_end_to_a_last_line_that_had_none() {
        for (text, end) in [
            ("web: a", "\n"),
            ("web: a\n", ""),
            ("web: a\r\n", ""),
            ("web: a\r", "\r\n"),
            ("a: 1\r\nweb: a", "\r\n"),
            ("a: 1\nweb: a", "\n"),
            ("web: a\n  ", "\n"),
            ("web: a\r\n# c", "\r\n"),
            ("\u{feff}web: a", "\n"),
            ("# c\nweb: a\n\n# d\n\n", ""),
            ("web: a # x\n// y\nzoo: b\n", ""),
        ] {
            let longer = set(text, "zz", "cmd", Placement::Append).expect("legal");
            assert_eq!(longer.ends_with('\n'), end.is_empty(), "{longer:?}");
            assert_eq!(delete(&longer, "zz"), format!("{text}{end}"), "by way of {longer:?}");
            let longer = set(text, "A", "cmd", Placement::InOrder).expect("legal");
            assert_eq!(delete(&longer, "A"), text, "by way of {longer:?}");
        }
    }

    #[test]
    fn a_new_entry_goes_last_or_in_order() {
        let text = "# w\nweb: a\n\n# z\n# zz\nzoo: b\n";
        let (last, ordered) = (Placement::Append, Placement::InOrder);
        assert_eq!(set(text, "x", "1", last).as_deref(), Ok("# w\nweb: a\n\n# z\n# zz\nzoo: b\nx: 1\n"));
        assert_eq!(set(text, "x", "1", ordered).as_deref(), Ok("# w\nweb: a\n\nx: 1\n# z\n# zz\nzoo: b\n"));
        assert_eq!(set(text, "a", "1", ordered).as_deref(), Ok("a: 1\n# w\nweb: a\n\n# z\n# zz\nzoo: b\n"));
        assert_eq!(set(text, "zz", "1", ordered).as_deref(), Ok("# w\nweb: a\n\n# z\n# zz\nzoo: b\nzz: 1\n"));
    }

    #[test]
    fn what_would_not_read_back_is_refused() {
        let refuse =
            |name, command| set("web: a // c\n", name, command, Placement::Append).expect_err("refused");
        assert_eq!(refuse("a b", "x"), EditError::InvalidName("a b".to_owned()));
        assert_eq!(refuse("", "x"), EditError::InvalidName(String::new()));
        for blank in ["", " ", "\t\r", "\u{a0}", "\n"] {
            assert_eq!(refuse("x", blank), EditError::EmptyCommand, "{blank:?}");
        }
        assert_eq!(refuse("x", "a\nb: c"), EditError::SeveralLines);
        assert_eq!(refuse("x", "a # b"), EditError::ReadsDifferently("a".to_owned()));
        assert_eq!(refuse("x", " a"), EditError::Trimmed("a".to_owned()));
        assert!(matches!(refuse("x", "#a"), EditError::Unreadable(_)));
        assert!(matches!(refuse("x", "a\0"), EditError::Unreadable(_)));
        assert_eq!(refuse("web", "a #"), EditError::ReadsDifferently("a".to_owned()));
    }

    #[test]
    fn a_plain_file_has_only_its_order_to_lose() {
        let plain = |text: &str| Procfile::parse(text.as_bytes()).expect("legal").is_plain();
        assert!(plain("web: a\nclock: b\n"));
        for text in
            ["web: a", "web:  a\n", "web: a\r\n", "# c\nweb: a\n", "web: a\n\n", "web: a # c\n", " web: a\n"]
        {
            assert!(!plain(text), "{text:?}");
        }
    }

    #[test]
    fn a_carriage_return_inside_a_command_is_data() {
        assert_eq!(set("web: a\n", "web", "a\rb", Placement::Append).as_deref(), Ok("web: a\rb\n"));
        let trimmed = |command| set("web: a\n", "web", command, Placement::Append);
        for command in ["x ", "x\r", "\tx", "\u{a0}x"] {
            assert_eq!(trimmed(command), Err(EditError::Trimmed("x".to_owned())), "{command:?}");
        }
    }

    #[test]
    fn a_deleted_line_takes_nothing_with_it() {
        assert_eq!(delete("# c\nweb: a\nworker: b # c\n", "web"), "# c\nworker: b # c\n");
        assert_eq!(delete("web: a\n", "web"), "");
        assert_eq!(delete("a: b\nweb: a", "web"), "a: b\n");
        assert_eq!(delete("a: b\r\nweb: a", "web"), "a: b\r\n");
        assert_eq!(delete("a: b\nweb: a\r", "web"), "a: b\n");
        assert_eq!(delete("a: b\n\n  web: a # c", "web"), "a: b\n\n");
        assert_eq!(delete("\u{feff}web: a", "web"), "\u{feff}");
        assert_eq!(delete("\u{feff}web: a\r\nb: c", "web"), "\u{feff}b: c");
        assert_eq!(delete("worker: b\nweb: a\n", "nope"), "worker: b\nweb: a\n");
    }
}
