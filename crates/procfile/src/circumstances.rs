//! What stands around a line with a problem, as far as a proposal for the line depends on it.

use crate::excerpt;
use crate::grammar;
use crate::options::ParseOptions;

/// A longer line, in bytes, gets no proposal: nobody would read the proposal.
pub(crate) const MAX_LINE: usize = 1000;

/// What a proposal depends on besides the line's excerpt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// The whole line without blanks around it; `None` if it is no text, or too long for a proposal.
    pub(crate) line: Option<String>,
    /// Whether it goes on from the line above.
    pub(crate) continues: bool,
    /// Whether the name that would be proposed is another line's.
    pub(crate) name_is_taken: bool,
}

impl Circumstances {
    /// Those of the line that holds a byte.
    pub(crate) fn of(bytes: &[u8], at: usize) -> Self {
        let (start, line) = excerpt::line_around(bytes, at);
        let text = if line.len() > MAX_LINE { None } else { std::str::from_utf8(line).ok() };
        // A line with characters that a terminal would act on, or not show, gets no proposal.
        let odd = |c: char| {
            c.is_control() && c != '\t'
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let plain = |text: &&str| !text.contains(odd);
        let continues = start
            .checked_sub(1)
            .filter(|lf| bytes[*lf] == b'\n')
            .is_some_and(|above| goes_on(excerpt::line_around(bytes, above).1, line));
        let line = text.filter(plain).map(|text| text.trim().to_owned());
        Self { line, continues, name_is_taken: false }
    }
}

/// Whether the second of two lines is meant to go on from the first: that one ends in a backslash, or is no entry of its
/// own level.
fn goes_on(above: &[u8], line: &[u8]) -> bool {
    let text = above.trim_ascii();
    if text.is_empty() || grammar::is_comment(text) {
        return false;
    }
    let indent = |line: &[u8]| line.len() - line.trim_ascii_start().len();
    let is_entry = matches!(grammar::read(above, &ParseOptions::default()), grammar::Line::Entry { .. });
    text.ends_with(b"\\") || indent(line) > indent(above) || indent(line) > 0 && !is_entry
}
