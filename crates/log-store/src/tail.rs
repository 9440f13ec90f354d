//! Finds where the last lines of a series begin. It reads blocks from the end, so the length of the log does not matter.

use std::collections::BTreeMap;
use std::io;

use crate::extent::Extent;
use crate::last_lines::Place;
use crate::piece::Piece;
use crate::series::{Segment, Series};

const BLOCK: u64 = 1 << 16;

/// The place at which the last `lines` lines of these parts of runs begin: `None` if they have fewer, and the end of the last part
/// for 0. The end of a part counts as the end of a line, with or without a newline.
pub(crate) fn begin(
    series: &Series,
    segments: &[Segment],
    extents: &BTreeMap<u64, Extent>,
    lines: usize,
) -> io::Result<Option<Place>> {
    let mut wanted = Wanted { lines, is_run_empty: true };
    for run in segments.chunk_by(|one, next| one.run == next.run).rev() {
        let Some(extent) = run.first().and_then(|first| extents.get(&first.run)) else { continue };
        for segment in run.iter().rev() {
            let Some((from, to)) = extent.of(*segment) else { continue };
            // The segment may have been removed since the directory was read.
            let piece = Piece::open(series, *segment)?;
            if let Some(offset) = piece.map_or(Ok(None), |piece| wanted.find_in(piece, from, to))? {
                return Ok(Some(Place { segment: *segment, offset }));
            }
        }
        if wanted.ends_run() {
            return Ok(Some(extent.begin));
        }
    }
    Ok(None)
}

/// How many lines remain to be found, going backwards.
struct Wanted {
    lines: usize,
    /// Whether no byte of the run has been seen yet: a newline at the end of a run begins no line.
    is_run_empty: bool,
}

impl Wanted {
    /// The offset in this part of a segment at which the last wanted line begins.
    fn find_in(&mut self, mut piece: Piece, from: u64, to: u64) -> io::Result<Option<u64>> {
        let mut end = piece.len()?.min(to);
        if self.lines == 0 {
            return Ok(Some(end));
        }
        while end > from {
            let begin = end.saturating_sub(BLOCK).max(from);
            let mut block = vec![0; usize::try_from(end - begin).unwrap_or(0)];
            if !piece.fill_at(&mut block, begin)? {
                // The segment was truncated meanwhile; what was written since is read from its beginning.
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

    /// The search has reached the first byte of the run, which begins a line. Returns whether that is the last wanted line.
    fn ends_run(&mut self) -> bool {
        let has_line = !std::mem::replace(&mut self.is_run_empty, true);
        has_line && self.found_one()
    }

    fn found_one(&mut self) -> bool {
        self.lines -= 1;
        self.lines == 0
    }
}
