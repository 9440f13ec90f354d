//! A regular expression that is searched for in lines: as bytes, since a line need not be UTF-8, and in linear time.

use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Look;

/// A regular expression for lines.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// Whether a match in a block of lines shows where the pattern matches in one of the lines.
    is_for_blocks: bool,
}

/// A pattern that cannot be understood.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{pattern:?} is no regular expression: {reason}")]
pub struct InvalidPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(pattern: &str) -> Result<Self, InvalidPattern> {
        let invalid = |reason: String| {
            // The message of the library repeats the pattern above it.
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            InvalidPattern { pattern: pattern.to_owned(), reason }
        };
        let regex = RegexBuilder::new(pattern).multi_line(true).build();
        let regex = regex.map_err(|error| invalid(error.to_string()))?;
        let parsed = ParserBuilder::new().multi_line(true).utf8(false).build().parse(pattern);
        let looks = parsed.map_err(|error| invalid(error.to_string()))?.properties().look_set();
        // `\A` and `\z` mean the ends of a line, which are not those of a block.
        let is_for_blocks = !looks.contains(Look::Start) && !looks.contains(Look::End);
        Ok(Self { regex, is_for_blocks })
    }
}

impl Pattern {
    /// Whether the pattern matches in the line.
    pub fn is_in(&self, line: &[u8]) -> bool {
        self.regex.is_match(line)
    }

    /// The matches in the line: begin and end of each.
    pub(crate) fn places(&self, line: &[u8]) -> Vec<(usize, usize)> {
        self.regex.find_iter(line).map(|found| (found.start(), found.end())).collect()
    }

    /// Whether [`Pattern::first_in`] may be used.
    pub(crate) fn is_for_blocks(&self) -> bool {
        self.is_for_blocks
    }

    /// The offset of the first match in a block of lines. No line before that offset matches.
    pub(crate) fn first_in(&self, lines: &[u8]) -> Option<usize> {
        self.regex.find(lines).map(|found| found.start())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().expect("a pattern")
    }

    #[test]
    fn a_pattern_is_of_one_line_and_of_any_bytes() {
        assert!(pattern("^err").is_in(b"error \xff"));
        assert!(pattern("b.d$").is_in(b"a bad"));
        assert!(!pattern("^bad").is_in(b"a bad"));
        assert!(pattern(r"(?-u)\xff").is_in(b"error \xff"));
        assert_eq!(pattern("a+").places(b"aa b a"), [(0, 2), (5, 6)]);
        let error = "(".parse::<Pattern>().expect_err("half a group").to_string();
        assert_eq!(error, "\"(\" is no regular expression: unclosed group");
    }

    #[test]
    fn what_is_in_a_line_is_found_in_a_block_of_lines_that_has_that_line() {
        let lines = b"one\ntwo three\nfour\n";
        assert_eq!(pattern("^two").first_in(lines), Some(4));
        assert_eq!(pattern("three$").first_in(lines), Some(8));
        assert!(pattern("^two").is_for_blocks());
        assert!(!pattern(r"\Atwo").is_for_blocks() && !pattern(r"three\z").is_for_blocks());
        assert!(pattern(r"\Atwo").is_in(b"two three"));
    }
}
