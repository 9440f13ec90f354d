//! What both grammars share: in which line a byte stands, and what is blank.

/// Counts lines on the way through a text, each byte once.
#[derive(Default)]
pub(super) struct Lines {
    at: usize,
    before: usize,
}

impl Lines {
    /// The line of the byte at `at`, from 1. A place before the last one that was asked for is counted anew.
    pub(super) fn at(&mut self, text: &[u8], at: usize) -> usize {
        if at < self.at {
            *self = Self::default();
        }
        self.before += memchr::memchr_iter(b'\n', &text[self.at..at]).count();
        self.at = at;
        self.before + 1
    }
}

/// Blanks do not end a line: tab, VT, FF, CR, space, and NEL and NBSP in UTF-8.
pub(super) fn trim_blanks_start(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'\t' | 0x0b | 0x0c | b'\r' | b' ', rest @ ..] | [0xc2, 0x85 | 0xa0, rest @ ..] => rest,
            _ => return text,
        }
    }
}

pub(super) fn trim_blanks(text: &[u8]) -> &[u8] {
    let mut text = trim_blanks_start(text);
    loop {
        text = match text {
            [rest @ .., b'\t' | 0x0b | 0x0c | b'\r' | b' '] | [rest @ .., 0xc2, 0x85 | 0xa0] => rest,
            _ => return text,
        }
    }
}

pub(super) fn ends_blank(text: &[u8]) -> bool {
    matches!(text, [.., b'\t' | 0x0b | 0x0c | b'\r' | b' '] | [.., 0xc2, 0x85 | 0xa0])
}
