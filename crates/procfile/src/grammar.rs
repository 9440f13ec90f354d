//! Reads one line of a Procfile: an entry, a comment, a blank line, or a problem. The rules are those of Dokku's
//! procfile-util (docs/programs/procfile-util.md#what-differs-from-the-original lists the exceptions), in linear time
//! and without a regular expression. This module sees one line at a time; the document finds names that are defined
//! twice.

use std::ops::Range;

use formation::MAX_NAME_BYTES;
use memchr::memmem;

use crate::options::ParseOptions;
use crate::problem_kind::ProblemKind;
use crate::space;

/// The kind of a line. Ranges and columns are byte offsets into the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A blank line or a comment.
    Nothing,
    /// A process type and its command (never empty).
    Entry { name: Range<usize>, command: Range<usize> },
    /// A legal name without a usable command. The name still counts when duplicates are sought.
    Unusable { name: Range<usize>, at: usize, kind: ProblemKind },
    /// A line that is no entry.
    Broken { at: usize, kind: ProblemKind },
}

/// Where the name ends and where the text after the delimiter begins, relative to the trimmed line.
#[derive(Clone, Copy, Debug)]
struct Split {
    name_end: usize,
    rest: usize,
}

/// Reads one line, without its line end.
pub(crate) fn read(line: &[u8], options: &ParseOptions) -> Line {
    let start = line.len() - space::trim_start(line).len();
    let text = space::trim_end(&line[start..]);
    if text.is_empty() || is_comment(text) {
        return Line::Nothing;
    }
    let delimiter = options.delimiter.as_bytes();
    let Some(mut split) = split_lax(text, delimiter) else {
        return Line::Broken { at: start + stray(text), kind: ProblemKind::InvalidLine };
    };
    if options.strict {
        match split_strict(text, delimiter) {
            Some(strict) => split = strict,
            None => {
                return Line::Broken { at: start + stray_strict(text), kind: ProblemKind::InvalidName };
            }
        }
    }
    if split.name_end > MAX_NAME_BYTES {
        return Line::Broken { at: start + MAX_NAME_BYTES, kind: ProblemKind::NameTooLong };
    }
    let name = start..start + split.name_end;
    let blanks = text[split.rest..].iter().take_while(|b| space::is_blank(**b)).count();
    command(line, name, start + split.rest + blanks, start + text.len())
}

/// Whether a trimmed text is a comment.
pub(crate) fn is_comment(text: &[u8]) -> bool {
    text.starts_with(b"#") || text.starts_with(b"//")
}

/// Whether a byte may occur in a name.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES[usize::from(byte)]
}

/// A table, because this is looked up for every byte of every name.
const NAME_BYTES: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        byte += 1;
    }
    table
};

/// Whether a name is a DNS label, as strict names must be.
pub(crate) fn is_label(name: &[u8]) -> bool {
    let ends = [name.first(), name.last()];
    ends.iter().all(|end| end.is_some_and(|byte| is_label_end(*byte)))
        && name.iter().all(|byte| *byte == b'-' || is_label_end(*byte))
}

fn command(line: &[u8], name: Range<usize>, from: usize, to: usize) -> Line {
    let uncommented = without_comment(&line[from..to]);
    let text = space::trim_start(uncommented);
    let at = from + (uncommented.len() - text.len());
    let text = space::trim_end(text);
    if is_comment(text) {
        Line::Unusable { name, at, kind: ProblemKind::CommentAsCommand }
    } else if text.is_empty() {
        Line::Unusable { name, at: from, kind: ProblemKind::NoCommand }
    } else {
        Line::Entry { name, command: at..at + text.len() }
    }
}

/// Cuts one trailing comment: the last ` #` with something behind it, or, if there is none, the last such ` //`. Both
/// are found in one pass.
fn without_comment(command: &[u8]) -> &[u8] {
    let (mut end, mut slashes) = (command.len(), None);
    while let Some(at) = memchr::memrchr2(b'#', b'/', &command[..end]) {
        if at > 0 && space::is_blank(command[at - 1]) {
            match command[at..] {
                [b'#', _, ..] => return &command[..at - 1],
                [b'/', b'/', _, ..] if slashes.is_none() => slashes = Some(at - 1),
                _ => {}
            }
        }
        end = at;
    }
    &command[..slashes.unwrap_or(command.len())]
}

/// Splits `name`, blanks, delimiter and command, with the longest possible name. If the delimiter consists of
/// characters that a name may have, its last occurrence that leaves something behind it counts.
fn split_lax(text: &[u8], delimiter: &[u8]) -> Option<Split> {
    let name_end = run(text, is_name_byte);
    if name_end == 0 {
        return None;
    }
    after_name(text, delimiter, name_end).or_else(|| inside_name(text, delimiter, name_end, |_| true))
}

fn split_strict(text: &[u8], delimiter: &[u8]) -> Option<Split> {
    if !text.first().is_some_and(|first| is_label_end(*first)) {
        return None;
    }
    let run = run(text, |byte| byte == b'-' || is_label_end(byte));
    let whole = if is_label_end(text[run - 1]) { after_name(text, delimiter, run) } else { None };
    whole.or_else(|| inside_name(text, delimiter, run, is_label_end))
}

fn is_label_end(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !belongs(*byte)).unwrap_or(text.len())
}

/// Finds the delimiter behind the whole name and behind as many blanks as possible.
fn after_name(text: &[u8], delimiter: &[u8], name_end: usize) -> Option<Split> {
    let blanks = text[name_end..].iter().take_while(|b| space::is_blank(**b)).count();
    let at = last_start(text, delimiter, name_end, name_end + blanks)?;
    Some(Split { name_end, rest: at + delimiter.len() })
}

/// Finds a delimiter that lies inside the run of name characters, as far to the right as possible.
fn inside_name(text: &[u8], delimiter: &[u8], run: usize, may_end: impl Fn(u8) -> bool) -> Option<Split> {
    if !is_name_byte(delimiter[0]) {
        return None;
    }
    let mut last = run - 1;
    while last >= 1 {
        let at = last_start(text, delimiter, 1, last)?;
        if may_end(text[at - 1]) {
            return Some(Split { name_end: at, rest: at + delimiter.len() });
        }
        last = at - 1;
    }
    None
}

/// The last place in `first..=last` at which the delimiter begins and leaves something behind it.
fn last_start(text: &[u8], delimiter: &[u8], first: usize, last: usize) -> Option<usize> {
    let end = (last + delimiter.len()).min(text.len() - 1);
    let window = text.get(first..end)?;
    if window.len() == delimiter.len() {
        return (window == delimiter).then_some(first);
    }
    memmem::rfind(window, delimiter).map(|at| first + at)
}

/// Where an invalid line stops looking like a name, which is where a delimiter was expected.
fn stray(text: &[u8]) -> usize {
    let name = run(text, is_name_byte);
    let blanks = text[name..].iter().take_while(|b| space::is_blank(**b)).count();
    if name == 0 { 0 } else { (name + blanks).min(text.len()) }
}

fn stray_strict(text: &[u8]) -> usize {
    match run(text, |byte| byte == b'-' || is_label_end(byte)) {
        0 => 0,
        _ if text[0] == b'-' => 0,
        run if text[run - 1] == b'-' => run - 1,
        run => run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Delimiter;

    fn with(line: &str, delimiter: &str, strict: bool) -> String {
        let options = ParseOptions { delimiter: Delimiter::new(delimiter).expect("not empty"), strict };
        match read(line.as_bytes(), &options) {
            Line::Nothing => "nothing".to_owned(),
            Line::Entry { name, command } => format!("{}|{}", &line[name], &line[command]),
            Line::Unusable { kind, .. } | Line::Broken { kind, .. } => format!("{kind:?}"),
        }
    }

    fn lax(line: &str) -> String {
        with(line, ":", false)
    }

    #[test]
    fn the_first_colon_ends_the_name() {
        for (line, meaning) in [
            ("web: a b", "web|a b"),
            ("web:a", "web|a"),
            ("web   : a", "web|a"),
            ("web:: a", "web|: a"),
            ("  \u{a0}web: a\u{a0} ", "web|a"),
            ("web:", "InvalidLine"),
            ("web:   ", "InvalidLine"),
            ("web\u{a0}: a", "InvalidLine"),
            ("web\u{b}: a", "InvalidLine"),
            (": a", "InvalidLine"),
            ("wéb: a", "InvalidLine"),
            ("", "nothing"),
            (" # x", "nothing"),
            ("//x", "nothing"),
        ] {
            assert_eq!(lax(line), meaning, "{line:?}");
        }
    }

    #[test]
    fn one_trailing_comment_is_cut() {
        for (command, kept) in [
            ("a # b # c", "a # b"),
            ("a # b #", "a"),
            ("a ## b", "a"),
            ("x # # y", "x #"),
            ("a #", "a #"),
            ("a //", "a //"),
            ("a // b # c", "a // b"),
            ("a // b", "a"),
            ("a // #", "a"),
            ("a#b", "a#b"),
            ("http://x", "http://x"),
            ("echo \"a # b\"", "echo \"a"),
            ("a\u{a0}# b", "a\u{a0}# b"),
        ] {
            assert_eq!(lax(&format!("web: {command}")), format!("web|{kept}"), "{command:?}");
        }
        for command in ["#x", "//usr/bin/x", "#a #b"] {
            assert_eq!(lax(&format!("web: {command}")), "CommentAsCommand", "{command:?}");
        }
        assert_eq!(lax("web:\u{a0} # x"), "NoCommand");
    }

    #[test]
    fn strict_names_are_dns_labels() {
        for (line, meaning) in [
            ("web: a", "web|a"),
            ("a: b", "a|b"),
            ("a-1: b", "a-1|b"),
            ("-a: b", "InvalidName"),
            ("a-: b", "InvalidName"),
            ("a_b: c", "InvalidName"),
            ("Web: c", "InvalidName"),
            ("Web c", "InvalidLine"),
        ] {
            assert_eq!(with(line, ":", true), meaning, "{line:?}");
        }
    }

    #[test]
    fn a_delimiter_is_literal_and_greedy() {
        assert_eq!(with("web--x y", "-", false), "web-|x y");
        assert_eq!(with("web--x y", "-", true), "web|-x y");
        assert_eq!(with("web=> a", "=>", false), "web|a");
        assert_eq!(with("web\ta b", "\\t", false), "web|a b");
        assert_eq!(with("web  a", " ", false), "web|a");
        assert_eq!(with("web. a", ".", false), "web|a");
        assert_eq!(with("webx a", ".", false), "InvalidLine");
        assert_eq!(with("abcabc", "b", false), "abca|c");
        assert_eq!(with("aab", "b", false), "InvalidLine");
    }

    #[test]
    fn a_name_has_63_bytes_at_most() {
        assert_eq!(lax(&format!("{}: x", "a".repeat(63))), format!("{}|x", "a".repeat(63)));
        assert_eq!(lax(&format!("{}: x", "a".repeat(64))), "NameTooLong");
    }
}
