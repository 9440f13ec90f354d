//! What both grammars need: the line in which a byte lies, and which bytes are blanks.

/// Counts the lines of a text on the way through it, looking at each byte once.
#[derive(Default)]
pub(super) struct Lines {
    at: usize,
    before: usize,
}

impl Lines {
    /// The number of the line that contains the byte at `at`, from 1. If `at` is before the previous one, counting
    /// starts again.
    pub(super) fn at(&mut self, text: &[u8], at: usize) -> usize {
        if at < self.at {
            *self = Self::default();
        }
        self.before += memchr::memchr_iter(b'\n', &text[self.at..at]).count();
        self.at = at;
        self.before + 1
    }
}

/// Removes blanks at the beginning. Blanks do not end a line: tab, VT, FF, CR, space, and NEL and NBSP in UTF-8.
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
