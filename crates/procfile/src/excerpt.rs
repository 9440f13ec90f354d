//! The part of a line that is shown around a place. A long line is cut on both sides, so that the place is always
//! visible.

use crate::text::BOM;

/// The longest line that is shown whole, in characters, and also the longest part of a longer line.
pub(crate) const MAX_SHOWN: usize = 200;
/// How much of a cut line is shown before the place, in characters.
const BEFORE: usize = 80;
/// What is shown in the place of what was cut.
const CUT: &str = "…";

/// A place in a file, in the form that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The column in the file, from 1, in characters.
    pub(crate) column: usize,
    /// The line, or the part of it around the place, without its line end.
    pub(crate) text: String,
    /// The column in `text`, from 1, in characters; at most one behind the end of the text.
    pub(crate) caret: usize,
}

/// The bytes of the line that contains the byte at `at`, without a byte order mark and without LF or CR LF, and the
/// offset where the line begins.
pub(crate) fn line_around(bytes: &[u8], at: usize) -> (usize, &[u8]) {
    let body = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(body, |lf| lf + 1);
    let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |lf| at + lf);
    (start, bytes[start..end].strip_suffix(b"\r").unwrap_or(&bytes[start..end]))
}

/// The form in which the place of a byte is shown to people.
pub(crate) fn excerpt(bytes: &[u8], at: usize) -> Excerpt {
    let (start, line) = line_around(bytes, at);
    let (before, behind) = line.split_at((at - start).min(line.len()));
    let column = String::from_utf8_lossy(before).chars().count() + 1;
    // A character has four bytes at most.
    let whole = (line.len() <= 4 * MAX_SHOWN).then(|| String::from_utf8_lossy(line));
    if let Some(text) = whole.filter(|text| text.chars().count() <= MAX_SHOWN) {
        return Excerpt { column, text: text.into_owned(), caret: column };
    }
    let tail = last(before, BEFORE);
    let shown = tail.chars().count();
    let (head, is_cut) = first(behind, MAX_SHOWN - shown);
    let begins_late = shown + 1 < column;
    let caret = shown + 1 + usize::from(begins_late);
    let marks = [begins_late, is_cut].map(|cut| if cut { CUT } else { "" });
    Excerpt { column, text: [marks[0], &tail, &head, marks[1]].concat(), caret }
}

/// The first characters of a text, and whether there are more.
fn first(bytes: &[u8], count: usize) -> (String, bool) {
    // One character more than asked for, so that it is known whether something is left.
    let part = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * (count + 1))]);
    let mut chars = part.chars();
    let text = chars.by_ref().take(count).collect();
    (text, chars.next().is_some())
}

/// The last characters of a text.
fn last(bytes: &[u8], count: usize) -> String {
    let part = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4 * (count + 1))..]);
    let surplus = part.chars().count().saturating_sub(count);
    part.chars().skip(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &[u8], at: usize) -> (usize, char, usize) {
        let Excerpt { column, text, caret } = excerpt(text, at);
        (column, text.chars().nth(caret - 1).unwrap_or('$'), text.chars().count())
    }

    #[test]
    fn a_short_line_is_shown_whole() {
        let shown = excerpt("\u{feff}a: b\r\n\twëb; x \r\n".as_bytes(), 14);
        assert_eq!(shown, Excerpt { column: 5, text: "\twëb; x ".to_owned(), caret: 5 });
        let full = format!("web{}", "é".repeat(197));
        assert_eq!(excerpt(full.as_bytes(), 3).text, full);
        assert_eq!(excerpt(full.as_bytes(), full.len()).text, full);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        for before in [0, 1, 79, 80, 119, 120, 121, 199, 200, 201, 5000] {
            for behind in [0, 1, 80, 200, 5000] {
                for filler in ["a", "é", "字", "a\u{301}", "\u{1f469}", "\t"] {
                    let line = format!("x: y\n{}>{}\nz: 1\n", filler.repeat(before), filler.repeat(behind));
                    let place = line.find('>').expect("it is there");
                    let (column, shown, length) = at(line.as_bytes(), place);
                    let chars = filler.chars().count();
                    assert_eq!((column, shown), (before * chars + 1, '>'), "{before} {behind} {filler:?}");
                    assert!(length <= MAX_SHOWN + 2, "{length} for {before} {behind} {filler:?}");
                    let whole = (before + behind) * chars < MAX_SHOWN;
                    assert_eq!(
                        whole,
                        !excerpt(line.as_bytes(), place).text.contains(CUT),
                        "{before} {behind} {filler:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_and_ends_of_lines_have_a_place() {
        let broken = [&[0xff; 300][..], b">", &[0xe5; 300], b"\r\n"].concat();
        assert_eq!(at(&broken, 300).1, '>');
        assert_eq!(at(b"web: a  \r\n", 8), (9, '$', 8));
        assert_eq!(at(b"web: a  \r\n", 9), (9, '$', 8));
        assert_eq!(at(b"", 0), (1, '$', 0));
    }
}
