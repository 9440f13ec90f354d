//! The last lines of a run for an error message: a few lines of limited length, read from the end of the log. Control
//! characters are replaced by visible ones.

use std::io;

use crate::piece::Piece;
use crate::series::{Segment, Series};

/// How many bytes are read.
const BYTES: u64 = 16 << 10;
/// How many characters of a line are shown.
const LINE: usize = 300;

/// A place in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment.
    pub segment: Segment,
    /// The offset in the segment, in bytes.
    pub offset: u64,
}

/// The last lines of a run after a place, at most `count`, with control characters replaced.
pub fn last_lines(series: &Series, from: Place, count: usize) -> io::Result<Vec<String>> {
    let segments = series.segments()?;
    let is_its_own = |segment: &&Segment| segment.run == from.segment.run && **segment >= from.segment;
    let (mut bytes, mut is_whole) = (Vec::new(), true);
    for segment in segments.iter().filter(is_its_own).rev() {
        let offset = if *segment == from.segment { from.offset } else { 0 };
        let Some(piece) = Piece::open(series, *segment)? else { continue };
        let room = BYTES - bytes.len() as u64;
        let end = end_of(piece, offset, room)?;
        is_whole = (end.len() as u64) < room;
        bytes.splice(..0, end);
        if !is_whole {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if !is_whole && lines.len() > 1 {
        // The first line is incomplete, because reading began in its middle.
        lines.remove(0);
    }
    let last = lines.split_off(lines.len().saturating_sub(count));
    Ok(last.into_iter().map(shown).collect())
}

/// The last bytes of a segment, from `offset` on.
fn end_of(mut piece: Piece, offset: u64, most: u64) -> io::Result<Vec<u8>> {
    let end = piece.len()?;
    // A segment that is shorter than the offset was truncated since, so all of it came later.
    let offset = if offset > end { 0 } else { offset };
    let begin = offset.max(end.saturating_sub(most));
    let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or(0)];
    if !piece.fill_at(&mut bytes, begin)? {
        bytes.clear();
    }
    Ok(bytes)
}

/// A line for people, cut at its end if it is long.
fn shown(line: &str) -> String {
    let mut shown = String::new();
    for character in line.chars().take(LINE) {
        if character.is_control() && character != '\t' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    let rest = line.chars().count().saturating_sub(LINE);
    if rest > 0 { format!("{shown} [{rest} more characters]") } else { shown }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tail_of(segments: &[&[u8]], offset: u64) -> Vec<String> {
        let place = tempfile::tempdir().expect("a directory");
        let series = Series::new(place.path(), "stdout");
        for (number, bytes) in (0..).zip(segments) {
            fs::write(series.path(Segment { run: 7, number }), bytes).expect("written");
        }
        // Lines of another run are not shown.
        fs::write(series.path(Segment::first_of(8)), "other\n").expect("written");
        let from = Place { segment: Segment::first_of(7), offset };
        last_lines(&series, from, 10).expect("readable")
    }

    #[test]
    fn the_last_lines_are_few_and_short_whatever_was_written() {
        let many: Vec<String> = (1..=1_000_000).map(|n: u32| n.to_string()).collect();
        assert_eq!(tail_of(&[many.join("\n").as_bytes()], 0), many[999_990..]);
        let endless = tail_of(&[&vec![b'x'; 1 << 20]], 0);
        assert_eq!(endless.len(), 1);
        assert!(endless[0].len() < 400 && endless[0].contains("more characters"), "{endless:?}");
        assert_eq!(tail_of(&[b"old\nnew\x1b[2J\xff\x07\tend\r\n"], 4), ["new\\u{1b}[2J\u{fffd}\\u{7}\tend"]);
        assert_eq!(tail_of(&[b"cut short"], 1000), ["cut short"]);
        assert_eq!(tail_of(&[b""], 0), Vec::<String>::new());
    }

    #[test]
    fn lines_before_the_last_segment_was_begun_belong_to_the_last_ones() {
        assert_eq!(tail_of(&[b"old\none\ntw", b"o\n", b""], 4), ["one", "two"]);
        let long = "x\n".repeat(20_000);
        assert_eq!(tail_of(&[long.as_bytes(), b"y\n"], 0)[7..], ["x", "x", "y"]);
    }
}
