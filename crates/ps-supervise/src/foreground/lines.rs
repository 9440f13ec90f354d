//! Merges the lines of many writers into one stream. Pure: bytes come in with the number of their writer, and each line
//! goes out after the prefix of its writer. No byte is changed or left out. If a line is interrupted by another one, a
//! newline is added, and the rest follows after a prefix with `+`.

use memchr::memchr;

/// The longest incomplete line that is held back, in bytes.
const LONGEST: usize = 64 << 10;

/// The output so far, and how its last line ended.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// Bytes to be written.
    pub(crate) out: Vec<u8>,
    column: Column,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Column {
    #[default]
    Start,
    /// After an incomplete line of this writer.
    Within(usize),
    /// After an incomplete line that will not be continued.
    Behind,
}

/// The incomplete line of one writer.
#[derive(Debug, Default)]
pub(crate) struct Line {
    held: Vec<u8>,
    is_begun: bool,
}

/// A writer and its prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) number: usize,
    pub(crate) prefix: &'a [u8],
    /// The prefix of a continued line.
    pub(crate) continued: &'a [u8],
}

impl Screen {
    /// Takes bytes of a writer. Complete lines are output; the rest is held until its end comes or it is too long.
    pub(crate) fn take(&mut self, writer: Writer<'_>, line: &mut Line, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (piece, rest) = bytes.split_at(end + 1);
            self.put(writer, line, piece);
            self.column = Column::Start;
            line.is_begun = false;
            bytes = rest;
        }
        line.held.extend_from_slice(bytes);
        if line.held.len() >= LONGEST {
            self.show(writer, line);
        }
    }

    /// Outputs an incomplete line that was held.
    pub(crate) fn show(&mut self, writer: Writer<'_>, line: &mut Line) {
        if !line.held.is_empty() {
            self.put(writer, line, &[]);
            line.is_begun = true;
            self.column = Column::Within(writer.number);
        }
    }

    /// A writer has ended: its held bytes are output, and the next output begins a new line.
    pub(crate) fn finish(&mut self, writer: Writer<'_>, line: &mut Line) {
        self.show(writer, line);
        line.is_begun = false;
        if self.column == Column::Within(writer.number) {
            self.column = Column::Behind;
        }
    }

    /// Makes sure that the next byte begins a line.
    pub(crate) fn begin_line(&mut self) {
        if self.column != Column::Start {
            self.out.push(b'\n');
            self.column = Column::Start;
        }
    }

    fn put(&mut self, writer: Writer<'_>, line: &mut Line, piece: &[u8]) {
        if self.column != Column::Within(writer.number) {
            self.begin_line();
            self.out.extend_from_slice(if line.is_begun { writer.continued } else { writer.prefix });
        }
        self.out.append(&mut line.held);
        self.out.extend_from_slice(piece);
    }
}

impl Line {
    /// Whether bytes are held that were not output.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the beginning of the line was output and its end was not.
    pub(crate) fn is_begun(&self) -> bool {
        self.is_begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Writer<'_> = Writer { number: 0, prefix: b"a | ", continued: b"a + " };
    const B: Writer<'_> = Writer { number: 1, prefix: b"b | ", continued: b"b + " };

    #[test]
    fn a_line_goes_out_when_it_is_complete_and_the_last_one_when_its_writer_ends() {
        let (mut screen, mut a, mut b) = (Screen::default(), Line::default(), Line::default());
        screen.take(A, &mut a, b"one\ntw");
        screen.take(B, &mut b, b"\r50%\xff\0\n");
        screen.take(A, &mut a, b"o\nlast");
        assert_eq!(screen.out, b"a | one\nb | \r50%\xff\0\na | two\n");
        screen.finish(A, &mut a);
        assert!(screen.out.ends_with(b"a | last"), "nothing is added to it");
        screen.take(A, &mut a, b"again\n");
        assert!(screen.out.ends_with(b"a | last\na | again\n"), "until another line follows");
    }

    #[test]
    fn a_line_too_long_to_be_held_goes_out_in_pieces_and_a_cut_is_visible() {
        let (mut screen, mut a, mut b) = (Screen::default(), Line::default(), Line::default());
        let long = vec![b'x'; LONGEST];
        screen.take(A, &mut a, &long);
        assert!(a.is_begun() && !a.is_held());
        screen.take(A, &mut a, b"y\n");
        assert_eq!(
            screen.out,
            [b"a | ".as_slice(), &long, b"y\n"].concat(),
            "uncut where nobody comes between"
        );
        screen.out.clear();
        screen.take(A, &mut a, &long);
        screen.take(B, &mut b, b"between\n");
        screen.take(A, &mut a, b"y\n");
        assert_eq!(screen.out, [b"a | ".as_slice(), &long, b"\nb | between\na + y\n"].concat());
    }

    #[test]
    fn no_byte_is_lost_however_the_input_is_cut() {
        let text: Vec<u8> = (0..3000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        for size in [1, 2, 3, 7, 64, 4096] {
            let (mut screen, mut a) = (Screen::default(), Line::default());
            for chunk in text.chunks(size) {
                screen.take(A, &mut a, chunk);
            }
            screen.finish(A, &mut a);
            let expected: Vec<u8> = (0..3000_u32).flat_map(|n| format!("a | {n}\n").into_bytes()).collect();
            assert_eq!(screen.out, expected, "in pieces of {size}");
        }
    }
}
