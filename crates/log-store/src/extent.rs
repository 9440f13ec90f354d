//! The part of a run that is read for a range of time. The times beside its segments say which bytes arrived in that
//! range. If no times are known for a segment, it is assumed to begin when the one before it ended, so rather too much
//! is read than too little.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use crate::last_lines::Place;
use crate::piece::Piece;
use crate::range::Range;
use crate::series::{Segment, Series};
use crate::times::Index;

/// How far the beginning and the end of a line are searched for, in bytes.
const FAR: u64 = 1 << 20;
const BLOCK: u64 = 1 << 12;
/// How far the time of a file's last change may be behind the clock: the kernel sets it by its ticks.
const COARSE: Duration = Duration::from_millis(100);

/// The part of a run that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first byte.
    pub(crate) begin: Place,
    /// The end, behind the last byte; `None`: all bytes that will come are read, too.
    pub(crate) end: Option<Place>,
}

impl Extent {
    /// The whole run, from its first segment on.
    pub(crate) fn from(segment: Segment) -> Self {
        Self { begin: Place { segment, offset: 0 }, end: None }
    }

    /// The part of a run that came in a range of time, extended to whole lines. If the range ends after `now`, the part has no end
    /// yet.
    pub(crate) fn within(
        series: &Series,
        run: &[Segment],
        range: &Range,
        now: SystemTime,
    ) -> io::Result<Self> {
        let first = *run.first().expect("a run that is listed has a segment");
        let whole = Self::from(first);
        let begin = range.since.map_or(Ok(whole.begin), |time| begin(series, run, time))?;
        let end = range.until.filter(|time| *time <= now).map(|time| end(series, run, time)).transpose()?;
        Ok(Self { begin, end: end.flatten() })
    }

    /// The offsets of the first byte in a segment and of the byte after the last; `None` if no byte of the segment belongs to the
    /// part.
    pub(crate) fn of(&self, segment: Segment) -> Option<(u64, u64)> {
        let from = if segment == self.begin.segment { self.begin.offset } else { 0 };
        let to = match self.end {
            Some(end) if segment > end.segment => return None,
            Some(end) if segment == end.segment => end.offset,
            Some(_) | None => u64::MAX,
        };
        (segment >= self.begin.segment).then_some((from, to.max(from)))
    }
}

/// The place before which all bytes of a run came before that time; the end of the run, if all did.
fn begin(series: &Series, run: &[Segment], time: SystemTime) -> io::Result<Place> {
    for segment in run.iter().rev() {
        if is_before(series, *segment, time) {
            // The first wanted line is the one after the end of this segment.
            return end_of(series, *segment);
        }
        if let Some(offset) = Index::read(&series.times_path(*segment)).place_of(time) {
            return begin_of_line(series, Place { segment: *segment, offset });
        }
    }
    Ok(Extent::from(*run.first().expect("a run that is listed has a segment")).begin)
}

/// The place from which on all bytes of a run came later than that time; `None` if none did.
fn end(series: &Series, run: &[Segment], time: SystemTime) -> io::Result<Option<Place>> {
    let later = run.iter().find_map(|segment| {
        let offset = Index::read(&series.times_path(*segment)).first_after(time)?;
        Some(Place { segment: *segment, offset })
    });
    later.map(|place| end_of_line(series, place)).transpose()
}

/// Whether the last byte of a segment came before that time.
fn is_before(series: &Series, segment: Segment, time: SystemTime) -> bool {
    let file = fs::metadata(series.path(segment)).or_else(|_| fs::metadata(series.packed_path(segment)));
    file.and_then(|file| file.modified()).is_ok_and(|modified| modified + COARSE < time)
}

/// The current end of a segment.
pub(crate) fn end_of(series: &Series, segment: Segment) -> io::Result<Place> {
    let length = Piece::open(series, segment)?.map_or(Ok(0), |piece| piece.len())?;
    Ok(Place { segment, offset: length })
}

/// The beginning of the line that contains a place.
fn begin_of_line(series: &Series, place: Place) -> io::Result<Place> {
    let Some(mut piece) = Piece::open(series, place.segment)? else { return Ok(place) };
    let mut end = place.offset;
    while end > place.offset.saturating_sub(FAR) {
        let begin = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - begin).unwrap_or(0)];
        if !piece.fill_at(&mut block, begin)? {
            return Ok(place);
        }
        if let Some(index) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Place { offset: begin + index as u64 + 1, ..place });
        }
        end = begin;
    }
    Ok(if end == 0 { Place { offset: 0, ..place } } else { place })
}

/// The place after the line that contains a place.
fn end_of_line(series: &Series, place: Place) -> io::Result<Place> {
    let Some(mut piece) = Piece::open(series, place.segment)?.filter(|_| place.offset > 0) else {
        return Ok(place);
    };
    // A line that ends just before the place ends at the place.
    let mut begin = place.offset - 1;
    let mut block = vec![0; usize::try_from(BLOCK).unwrap_or(0)];
    while begin < place.offset + FAR {
        let read = piece.read_at(&mut block, begin)?;
        if let Some(index) = block[..read].iter().position(|byte| *byte == b'\n') {
            return Ok(Place { offset: begin + index as u64 + 1, ..place });
        }
        begin += read as u64;
        if read == 0 {
            return Ok(Place { offset: begin, ..place });
        }
    }
    Ok(place)
}
