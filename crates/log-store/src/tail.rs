//! Where the last lines of a series begin: found from its end, in blocks, so that a long log costs no more than a short one.

use std::io;

use crate::piece::Piece;
use crate::series::{Segment, Series};

const BLOCK: u64 = 1 << 16;

/// The place from which on a series has `lines` lines; `None` if it has not so many, and with 0 its end. The end of a run is
/// the end of a line, be there a newline or not.
pub(crate) fn begin(
    series: &Series,
    segments: &[Segment],
    lines: usize,
) -> io::Result<Option<(Segment, u64)>> {
    let mut wanted = Wanted { lines, is_run_empty: true };
    for (index, segment) in segments.iter().enumerate().rev() {
        // It may have been removed since the directory was read.
        let piece = Piece::open(series, *segment)?;
        if let Some(position) = piece.map_or(Ok(None), |piece| wanted.find_in(piece))? {
            return Ok(Some((*segment, position)));
        }
        let is_first_of_run = index.checked_sub(1).is_none_or(|before| segments[before].run != segment.run);
        if is_first_of_run && wanted.ends_run() {
            return Ok(Some((*segment, 0)));
        }
    }
    Ok(None)
}

/// How many lines are still to be found, going backwards.
struct Wanted {
    lines: usize,
    /// Whether no byte of the run was seen yet: a newline that is its last byte begins no line.
    is_run_empty: bool,
}

impl Wanted {
    /// Where in this segment the last line that is wanted begins.
    fn find_in(&mut self, mut piece: Piece) -> io::Result<Option<u64>> {
        let mut end = piece.len()?;
        if self.lines == 0 {
            return Ok(Some(end));
        }
        while end > 0 {
            let begin = end.saturating_sub(BLOCK);
            let mut block = vec![0; usize::try_from(end - begin).unwrap_or(0)];
            if !piece.fill_at(&mut block, begin)? {
                // It was cut since: what was written after that comes in its turn.
                return Ok(Some(0));
            }
            for (index, byte) in block.into_iter().enumerate().rev() {
                if byte == b'\n' && !self.is_run_empty && self.found_one() {
                    return Ok(Some(begin + index as u64 + 1));
                }
                self.is_run_empty = false;
            }
            end = begin;
        }
        Ok(None)
    }

    /// All of a run was looked at: its first byte begins a line. Whether that is the last one that is wanted.
    fn ends_run(&mut self) -> bool {
        let has_line = !std::mem::replace(&mut self.is_run_empty, true);
        has_line && self.found_one()
    }

    fn found_one(&mut self) -> bool {
        self.lines -= 1;
        self.lines == 0
    }
}
