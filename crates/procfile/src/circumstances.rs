//! The surroundings of a line with a problem, as far as a proposal for the line depends on them.

use crate::excerpt;
use crate::grammar;
use crate::options::ParseOptions;

/// The longest line, in bytes, for which a proposal is made. Nobody would read a longer one.
pub(crate) const MAX_LINE: usize = 1000;

/// What a proposal depends on, apart from the part of the line that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// The whole line without white space around it; `None` if it is not text or too long for a proposal.
    pub(crate) line: Option<String>,
    /// Whether the line continues the line above it.
    pub(crate) continues: bool,
    /// Whether another line already has the name that would be proposed.
    pub(crate) name_is_taken: bool,
}

impl Circumstances {
    /// The circumstances of the line that contains the byte at `at`.
    pub(crate) fn of(bytes: &[u8], at: usize) -> Self {
        let (start, line) = excerpt::line_around(bytes, at);
        let text = if line.len() > MAX_LINE { None } else { std::str::from_utf8(line).ok() };
        // A line with characters that a terminal would obey or not show gets no proposal.
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

/// Whether the second of two lines continues the first one. It does if the first ends with a backslash, if the second is
/// indented more deeply, or if the second is indented at all and the first is no entry.
fn goes_on(above: &[u8], line: &[u8]) -> bool {
    let text = above.trim_ascii();
    if text.is_empty() || grammar::is_comment(text) {
        return false;
    }
    let indent = |line: &[u8]| line.len() - line.trim_ascii_start().len();
    let is_entry = matches!(grammar::read(above, &ParseOptions::default()), grammar::Line::Entry { .. });
    text.ends_with(b"\\") || indent(line) > indent(above) || indent(line) > 0 && !is_entry
}
