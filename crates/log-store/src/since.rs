//! Finds where the bytes begin that were written at some time or later. A segment whose times are not known is taken to
//! have begun when the one before it ended, so that too much is returned rather than too little.

use std::fs;
use std::io;
use std::time::SystemTime;

use crate::last_lines::Place;
use crate::piece::Piece;
use crate::series::{Segment, Series};
use crate::times::Index;

/// For each run, the place after which bytes may have been written at that time or later; its end if all came before.
pub(crate) fn places(series: &Series, segments: &[Segment], time: SystemTime) -> io::Result<Vec<Place>> {
    let runs = segments.chunk_by(|one, next| one.run == next.run);
    runs.map(|run| place_in(series, run, time)).collect()
}

fn place_in(series: &Series, run: &[Segment], time: SystemTime) -> io::Result<Place> {
    let first = *run.first().expect("a run that is listed has a segment");
    for segment in run.iter().rev() {
        if is_before(series, *segment, time) {
            // Only bytes after its end are wanted.
            return end_of(series, *segment);
        }
        if let Some(offset) = Index::read(&series.times_path(*segment)).place_of(time) {
            return Ok(Place { segment: *segment, offset });
        }
    }
    Ok(Place { segment: first, offset: 0 })
}

/// Whether the last byte of a segment was written before that time.
fn is_before(series: &Series, segment: Segment, time: SystemTime) -> bool {
    let file = fs::metadata(series.path(segment)).or_else(|_| fs::metadata(series.packed_path(segment)));
    file.and_then(|file| file.modified()).is_ok_and(|modified| modified < time)
}

fn end_of(series: &Series, segment: Segment) -> io::Result<Place> {
    let length = Piece::open(series, segment)?.map_or(Ok(0), |piece| piece.len())?;
    Ok(Place { segment, offset: length })
}
