//! Reads the lines of a series, run after run. A series is followed by reading it again and again, so that a slow reader blocks no writer.
//!
//! While the series is followed, several runs may write, such as the old and the new one during a rollout. So the newest
//! [`WATCHED`] runs are read each time, and a line is returned when it is complete, whichever run wrote it. A run may end
//! in the middle of a line; that rest is returned once the run has been quiet for a while.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use crate::extent::{Extent, end_of};
use crate::last_lines::Place;
use crate::line::Line;
use crate::range::Range;
use crate::run_reader::RunReader;
use crate::series::{Segment, Series};
use crate::skim::Skim;
use crate::tail;

/// How many of the newest runs are followed.
const WATCHED: usize = 8;

/// Reads a series, all of it or a range.
#[derive(Debug)]
pub struct Reader {
    series: Series,
    /// The segments that existed at the last look.
    segments: Vec<Segment>,
    runs: BTreeMap<u64, RunReader>,
    /// Runs before this one are not read any more.
    oldest: u64,
    /// Whether the range ends before any line that comes from now on.
    is_over: bool,
    skim: Option<Skim>,
    looked_at: Option<SystemTime>,
    is_by_time: bool,
}

impl Reader {
    /// Opens a series, which may be empty. Lines that are written later are read too, unless the range is over already.
    pub fn open(series: Series, range: Range) -> io::Result<Self> {
        let segments = series.segments()?;
        let now = SystemTime::now();
        let runs = segments.chunk_by(|one, next| one.run == next.run);
        let within = |run: &[Segment]| Ok((run[0].run, Extent::within(&series, run, &range, now)?));
        let mut extents: BTreeMap<u64, Extent> = runs.map(within).collect::<io::Result<_>>()?;
        if let Some(place) = range.before {
            end_at(&mut extents, place);
        }
        if let Some(lines) = range.last
            && let Some(place) = tail::begin(&series, &segments, &extents, lines)?
        {
            begin_at(&series, &segments, &mut extents, place);
        }
        let is_over = range.before.is_some() || range.until.is_some_and(|until| until <= now);
        let oldest = extents.keys().next().copied().unwrap_or(0);
        Ok(Self::of(series, extents, oldest, is_over))
    }

    /// Opens a series at the places up to which an earlier reader has read it ([`Reader::places`]). Runs that came later are read
    /// from their beginning.
    pub fn open_at(series: Series, places: &BTreeMap<u64, Place>) -> Self {
        let extents = places.iter().map(|(run, place)| (*run, Extent { begin: *place, end: None })).collect();
        let oldest = places.keys().next().copied().unwrap_or(0);
        Self::of(series, extents, oldest, false)
    }

    fn of(series: Series, extents: BTreeMap<u64, Extent>, oldest: u64, is_over: bool) -> Self {
        let runs = extents.into_iter().map(|(run, extent)| (run, RunReader::new(&series, extent))).collect();
        Self {
            series,
            segments: Vec::new(),
            runs,
            oldest,
            is_over,
            skim: None,
            looked_at: None,
            is_by_time: false,
        }
    }

    /// Skips lines that the filter certainly does not select.
    #[must_use]
    pub fn skimming(mut self, skim: Option<Skim>) -> Self {
        self.skim = skim;
        self
    }

    /// With `true`, lines of all runs are returned in the order of time; with `false`, those of one run after those of another.
    #[must_use]
    pub fn by_time(mut self, is_by_time: bool) -> Self {
        self.is_by_time = is_by_time;
        self
    }

    /// Finds out what can be read now: [`Reader::next`] returns that until the next call.
    pub fn look(&mut self) -> io::Result<()> {
        let now = SystemTime::now();
        self.segments = self.series.segments()?;
        let is_new = |segment: &&Segment| segment.run >= self.oldest && !self.is_over;
        for segment in self.segments.iter().filter(is_new) {
            let begin = || RunReader::new(&self.series, Extent::from(*segment)).begun_after(self.looked_at);
            self.runs.entry(segment.run).or_insert_with(begin);
        }
        let past = self.runs.len().saturating_sub(WATCHED);
        let past: Vec<u64> = self.runs.keys().take(past).copied().collect();
        for number in past {
            let run = self.runs.get_mut(&number).expect("it is one of the keys");
            if run.is_read() {
                self.runs.remove(&number);
                self.oldest = number + 1;
            }
        }
        for run in self.runs.values_mut() {
            run.look(now);
        }
        self.looked_at = Some(now);
        Ok(())
    }

    /// The next complete line of the first run that has one or, when reading by time, of all runs; with `whole`, incomplete last lines as well. `None` if there are no more
    /// until the next look. A line whose time is unknown is returned as early as possible.
    pub fn next(&mut self, whole: bool) -> io::Result<Option<Line>> {
        Ok(match self.earliest(whole)? {
            Some((_, number)) => self.runs.get_mut(&number).and_then(RunReader::take),
            None => None,
        })
    }

    /// When the line came that [`Reader::next`] returns next; `None` if it returns none.
    pub fn next_time(&mut self, whole: bool) -> io::Result<Option<SystemTime>> {
        Ok(self.earliest(whole)?.map(|(time, _)| time))
    }

    /// The time and the run of the next line.
    fn earliest(&mut self, whole: bool) -> io::Result<Option<(SystemTime, u64)>> {
        let mut earliest: Option<(SystemTime, u64)> = None;
        let count = self.runs.len();
        for (index, (number, run)) in self.runs.iter_mut().enumerate() {
            // Runs begin in the order of their numbers: if this run begins after the earliest time so far, so do all later ones.
            let is_before =
                |(time, _)| !self.is_by_time || time == SystemTime::UNIX_EPOCH || run.begins_after(time);
            if earliest.is_some_and(is_before) {
                break;
            }
            let later = count - 1 - index;
            run.head(&self.segments, self.skim.as_ref())?;
            if whole || later >= WATCHED || (later > 0 && run.is_quiet()) {
                run.end_line();
            }
            if later >= WATCHED {
                run.close();
            }
            let time = run.head(&self.segments, None)?.map(|line| line.at.unwrap_or(SystemTime::UNIX_EPOCH));
            if let Some(time) = time
                && earliest.is_none_or(|(known, _)| time < known)
            {
                earliest = Some((time, *number));
            }
        }
        Ok(earliest)
    }

    /// The beginnings of lines that are not complete yet, each once, so that a caller can show a question of a process
    /// that waits for an answer.
    pub fn begun(&mut self) -> Vec<Line> {
        self.runs.values_mut().filter_map(RunReader::begun).collect()
    }

    /// After how long [`Reader::next`] or [`Reader::begun`] may return something although nothing was written; `None`: never.
    pub fn due(&self) -> Option<Duration> {
        let last = self.runs.keys().next_back();
        self.runs.iter().filter_map(|(number, run)| run.due(Some(number) != last)).min()
    }

    /// For each run the place up to which it was read: the beginning of the first line that was not returned.
    pub fn places(&self) -> BTreeMap<u64, Place> {
        self.runs.iter().map(|(number, run)| (*number, run.place())).collect()
    }

    /// Returns new complete lines; with `whole`, incomplete last lines as well.
    pub fn hand_out(
        &mut self,
        whole: bool,
        sink: &mut dyn FnMut(Line) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        self.look()?;
        while let Some(line) = self.next(whole)? {
            if sink(line).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Ends the reading at that place.
fn end_at(extents: &mut BTreeMap<u64, Extent>, place: Place) {
    extents.retain(|run, _| *run <= place.segment.run);
    if let Some(extent) = extents.get_mut(&place.segment.run) {
        let is_earlier = |end: &Place| (end.segment, end.offset) < (place.segment, place.offset);
        extent.end = extent.end.filter(is_earlier).or(Some(place));
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
        // A segment that cannot be read has no more lines.
        let begin =
            end.or_else(|| end_of(series, **last).ok()).unwrap_or(Place { segment: **last, offset: 0 });
        extents.insert(last.run, Extent { begin, end });
    }
    if let Some(extent) = extents.get_mut(&place.segment.run) {
        extent.begin = place;
    }
}
