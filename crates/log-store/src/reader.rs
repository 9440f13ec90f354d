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

use crate::extent::{Extent, end_of};
use crate::last_lines::Place;
use crate::line::Line;
use crate::range::Range;
use crate::run_reader::RunReader;
use crate::series::{Segment, Series};
use crate::tail;

/// How many runs, the newest ones, are followed.
const WATCHED: usize = 8;

/// A series that is read, all of it or a range.
#[derive(Debug)]
pub struct Reader {
    series: Series,
    runs: BTreeMap<u64, RunReader>,
    /// Runs before this one are not read any more.
    oldest: u64,
    /// Whether nothing that comes from now on is wanted.
    is_over: bool,
}

impl Reader {
    /// Opens a series, which may be empty. What is written later is read too, unless the range is over already.
    pub fn open(series: Series, range: Range) -> io::Result<Self> {
        let segments = series.segments()?;
        let now = SystemTime::now();
        let runs = segments.chunk_by(|one, next| one.run == next.run);
        let within = |run: &[Segment]| Ok((run[0].run, Extent::within(&series, run, &range, now)?));
        let mut extents: BTreeMap<u64, Extent> = runs.map(within).collect::<io::Result<_>>()?;
        if let Some(lines) = range.last
            && let Some(place) = tail::begin(&series, &segments, &extents, lines)?
        {
            begin_at(&series, &segments, &mut extents, place);
        }
        let is_over = range.until.is_some_and(|until| until <= now);
        let oldest = extents.keys().next().copied().unwrap_or(0);
        let runs = extents.into_iter().map(|(run, extent)| (run, RunReader::new(extent))).collect();
        Ok(Self { series, runs, oldest, is_over })
    }

    /// Returns new complete lines; with `whole`, incomplete last lines as well.
    pub fn hand_out(
        &mut self,
        whole: bool,
        sink: &mut dyn FnMut(Line) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let segments = self.series.segments()?;
        let is_new = |segment: &&Segment| segment.run >= self.oldest && !self.is_over;
        for segment in segments.iter().filter(is_new) {
            self.runs.entry(segment.run).or_insert_with(|| RunReader::new(Extent::from(*segment)));
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
}

/// Begins in the middle of a run. Of earlier runs, only what they write from now on is read.
fn begin_at(series: &Series, segments: &[Segment], extents: &mut BTreeMap<u64, Extent>, place: Place) {
    let last_ones: BTreeMap<u64, Segment> = segments.iter().map(|last| (last.run, *last)).collect();
    let earlier: Vec<&Segment> = last_ones.range(..place.segment.run).map(|(_, last)| last).collect();
    let (forgotten, watched) = earlier.split_at(earlier.len().saturating_sub(WATCHED));
    for last in forgotten {
        extents.remove(&last.run);
    }
    for last in watched {
        let end = extents.get(&last.run).and_then(|extent| extent.end);
        // A segment that cannot be read has nothing more to offer.
        let begin =
            end.or_else(|| end_of(series, **last).ok()).unwrap_or(Place { segment: **last, offset: 0 });
        extents.insert(last.run, Extent { begin, end });
    }
    if let Some(extent) = extents.get_mut(&place.segment.run) {
        extent.begin = place;
    }
}
