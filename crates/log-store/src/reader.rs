//! Lines of a series, in the order of runs. It is followed by looking again, so that a slow reader holds nobody up.
//!
//! While it is followed, several runs may write: during a rollout the old one and the new one do. So the newest
//! [`WATCHED`] runs are looked at each time, and a line is handed out when its end has come, whichever run wrote it. A run
//! that was replaced may have died in the middle of a line: what it left is handed out once it has been quiet for a while.

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

/// How many runs, the newest ones, may still write.
const WATCHED: usize = 8;

/// A series that is read, from its beginning or from its last lines on.
#[derive(Debug)]
pub struct Reader {
    series: Series,
    runs: BTreeMap<u64, RunReader>,
    /// Runs before this one are not looked at any more.
    oldest: u64,
}

impl Reader {
    /// A series, of which nothing need be there yet. `tail`: only so many of its last lines are read, and what comes
    /// after them.
    pub fn open(series: Series, tail: Option<usize>) -> io::Result<Self> {
        let mut reader = Self { series, runs: BTreeMap::new(), oldest: 0 };
        let Some(lines) = tail else { return Ok(reader) };
        let segments = reader.series.segments()?;
        if let Some((segment, position)) = tail::begin(&reader.series, &segments, lines)? {
            reader.begin_at(segment, position, &segments);
        }
        Ok(reader)
    }

    /// A series from the first line on that may have come at that time or later, to the chunk: what the times beside the
    /// segments do not tell apart is read as well.
    pub fn open_since(series: Series, time: SystemTime) -> io::Result<Self> {
        let segments = series.segments()?;
        let places = since::places(&series, &segments, time)?;
        let oldest = places.first().map_or(0, |place| place.segment.run);
        let begun = |place: &Place| (place.segment.run, RunReader::new(place.segment, place.offset));
        Ok(Self { series, runs: places.iter().map(begun).collect(), oldest })
    }

    /// Hands out the lines that are new, without their ends; `whole` also hands out last lines that have no end yet.
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

    /// Begins in the middle of a run. What earlier ones have written is not read; what they write from now on is.
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
