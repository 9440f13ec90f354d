//! Splits bytes into lines of limited length.

/// The longest line that is accepted. Node's own messages have a few hundred bytes; a longer line is a message of the
/// app.
pub const LONGEST: usize = 1 << 20;

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
    /// The number of bytes of the line that is being skipped; 0 if none is.
    skipped: u64,
}

/// A line that has been completed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// A line that was longer than [`LONGEST`], with its number of bytes.
    TooLong(u64),
}

impl Lines {
    /// The lines that end in these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                None => self.begin(part),
                Some(end) => {
                    self.begin(end);
                    whole.push(self.end());
                }
            }
        }
        whole
    }

    fn begin(&mut self, part: &[u8]) {
        if self.skipped > 0 || self.begun.len() + part.len() > LONGEST {
            self.skipped += (self.begun.len() + part.len()) as u64;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn end(&mut self) -> Line {
        match std::mem::take(&mut self.skipped) {
            0 => Line::Whole(std::mem::take(&mut self.begun)),
            bytes => Line::TooLong(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_however_its_bytes_come() {
        let text = b"one\n\ntwo\nthree";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let whole: Vec<Line> = text.chunks(size).flat_map(|part| lines.take(part)).collect();
            let words: [&[u8]; 3] = [b"one", b"", b"two"];
            assert_eq!(whole, words.map(|word| Line::Whole(word.to_vec())), "{size} bytes at a time");
            assert_eq!(lines.take(b"\n"), [Line::Whole(b"three".to_vec())]);
        }
    }

    #[test]
    fn a_line_of_100_mb_takes_no_memory_and_the_next_one_is_heard() {
        let mut lines = Lines::default();
        let part = vec![b'x'; 64 << 10];
        for _ in 0..1600 {
            assert_eq!(lines.take(&part), []);
            assert!(lines.begun.capacity() <= 2 * LONGEST, "{}", lines.begun.capacity());
        }
        assert_eq!(lines.take(b"\nok\n"), [Line::TooLong(1600 * (64 << 10)), Line::Whole(b"ok".to_vec())]);
    }

    #[test]
    fn the_longest_line_is_one_of_just_that_length() {
        let line = vec![b'x'; LONGEST];
        assert_eq!(Lines::default().take(&[&line[..], b"\n"].concat()), [Line::Whole(line.clone())]);
        assert_eq!(Lines::default().take(&[&line[..], b"x\n"].concat()), [Line::TooLong(LONGEST as u64 + 1)]);
    }
}
