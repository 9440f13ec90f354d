//! Reads the lines of a series, run after run. It follows the series by reading again and again, so that a slow reader
//! blocks nobody.
//!
//! While the series is followed, several runs may write, such as the old and the new one during a rollout. So the newest
//! [`WATCHED`] runs are read each time, and a line is returned when it is complete, whichever run wrote it. A run may end
//! in the middle of a line; that rest is returned once the run has been quiet for a while.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::time::SystemTime;

use crate::last_lines::Place;
use crate::line::Line;
use crate::piece::Piece;
use crate::run_reader::RunReader;
use crate::series::{Segment, Series};
use crate::{since, tail};

/// How many runs, the newest ones, are followed.
const WATCHED: usize = 8;

/// A series that is being read.
#[derive(Debug)]
pub struct Reader {
    series: Series,
    runs: BTreeMap<u64, RunReader>,
    /// Runs before this one are not read any more.
    oldest: u64,
}

impl Reader {
    /// Opens a series, which may be empty. With `tail`, reading begins with this many of its last lines.
    pub fn open(series: Series, tail: Option<usize>) -> io::Result<Self> {
        let mut reader = Self { series, runs: BTreeMap::new(), oldest: 0 };
        let Some(lines) = tail else { return Ok(reader) };
        let segments = reader.series.segments()?;
        if let Some((segment, position)) = tail::begin(&reader.series, &segments, lines)? {
            reader.begin_at(segment, position, &segments);
        }
        Ok(reader)
    }

    /// Opens a series at the first line that may have been written at that time or later. Times are known per chunk, so
    /// earlier lines of the same chunk are read as well.
    pub fn open_since(series: Series, time: SystemTime) -> io::Result<Self> {
        let segments = series.segments()?;
        let places = since::places(&series, &segments, time)?;
        let oldest = places.first().map_or(0, |place| place.segment.run);
        let begun = |place: &Place| (place.segment.run, RunReader::new(place.segment, place.offset));
        Ok(Self { series, runs: places.iter().map(begun).collect(), oldest })
    }

    /// Returns new complete lines; with `whole`, incomplete last lines as well.
    pub fn hand_out(
        &mut self,
        whole: bool,
        sink: &mut dyn FnMut(Line) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let segments = self.series.segments()?;
        for segment in segments.iter().filter(|segment| segment.run >= self.oldest) {
            self.runs.entry(segment.run).or_insert_with(|| RunReader::new(*segment, 0));
        }
        let numbers: Vec<u64> = self.runs.keys().copied().collect();
        for (later, number) in (0..numbers.len()).rev().zip(numbers) {
            let run = self.runs.get_mut(&number).expect("it is one of the keys");
            if run.hand_out(&self.series, &segments, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let is_over = later >= WATCHED;
            let is_due = whole || is_over || (later > 0 && run.is_quiet());
            if is_due && run.hand_out_rest(sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if is_over {
                self.runs.remove(&number);
                self.oldest = number + 1;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Begins in the middle of a run. Of earlier runs, only what they write from now on is read.
    fn begin_at(&mut self, segment: Segment, position: u64, segments: &[Segment]) {
        let last_ones: BTreeMap<u64, Segment> = segments.iter().map(|last| (last.run, *last)).collect();
        let earlier = last_ones.range(..segment.run).rev().take(WATCHED);
        for (run, last) in earlier {
            let piece = Piece::open(&self.series, *last).ok().flatten();
            let end = piece.and_then(|piece| piece.len().ok()).unwrap_or(0);
            self.runs.insert(*run, RunReader::new(*last, end));
        }
        self.runs.insert(segment.run, RunReader::new(segment, position));
        self.oldest = *self.runs.keys().next().expect("one was just added");
    }
}
