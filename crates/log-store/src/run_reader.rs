//! Reads the output of one run: its segments as one stream of bytes, since a line may begin in one segment and end in the
//! next.

use std::cmp::max;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use memchr::{memchr, memrchr};

use crate::Line;
use crate::extent::Extent;
use crate::last_lines::Place;
use crate::line_times::LineTimes;
use crate::open_segment::OpenSegment;
use crate::series::{Segment, Series};
use crate::skim::Skim;

/// The longest line that is returned whole, in bytes; a longer one is returned in pieces.
const LONGEST: usize = 1 << 20;
/// After how long without a byte a run counts as quiet.
const QUIET: Duration = Duration::from_secs(1);
/// After how long without a byte the beginning of a line is worth showing.
const PAUSED: Duration = Duration::from_millis(200);
const BLOCK: usize = 1 << 16;

/// The reading position in a run.
#[derive(Debug)]
pub(crate) struct RunReader {
    series: Series,
    extent: Extent,
    segment: Segment,
    position: u64,
    open: Option<OpenSegment>,
    times: LineTimes,
    /// Bytes that were read; the index of the next one; and the offset of the first one.
    block: Vec<u8>,
    next: usize,
    offset: u64,
    /// The line that is being put together, where it begins, and how many of its bytes were returned already.
    pending: Vec<u8>,
    begin: Place,
    shown: usize,
    /// The next line, which was read in order to compare its time, and where it begins.
    head: Option<Line>,
    head_begin: Place,
    /// Whether this look has reached the end of the run.
    is_dry: bool,
    /// The time of the look that reached the end. Bytes that are read afterwards came later; so did the line that is being put
    /// together, if it was begun since.
    dry_at: Option<SystemTime>,
    not_before: Option<SystemTime>,
    looked_at: SystemTime,
    /// When the last byte was read.
    read_at: Instant,
}

impl RunReader {
    /// A reader of this part of a run.
    pub(crate) fn new(series: &Series, extent: Extent) -> Self {
        let Place { segment, offset } = extent.begin;
        Self {
            series: series.clone(),
            extent,
            segment,
            position: offset,
            open: None,
            times: LineTimes::new(series.times_path(segment)),
            block: Vec::new(),
            next: 0,
            offset,
            pending: Vec::new(),
            begin: extent.begin,
            shown: 0,
            head: None,
            head_begin: extent.begin,
            is_dry: false,
            dry_at: None,
            not_before: None,
            looked_at: SystemTime::UNIX_EPOCH,
            read_at: Instant::now(),
        }
    }

    /// Sets a time after which the run has begun.
    pub(crate) fn begun_after(mut self, time: Option<SystemTime>) -> Self {
        (self.dry_at, self.not_before) = (time, time);
        self
    }

    /// Begins a new look at the directory: there may be more to read.
    pub(crate) fn look(&mut self, now: SystemTime) {
        self.is_dry = false;
        self.looked_at = now;
    }

    /// The next line without taking it; `None` if there is no complete one. `segments` are those that existed before this look: if one
    /// after the current is among them, the current one gets no more bytes.
    pub(crate) fn head(&mut self, segments: &[Segment], skim: Option<&Skim>) -> io::Result<Option<&Line>> {
        while self.head.is_none() && !self.is_dry {
            if self.next < self.block.len() {
                self.head = self.line_in_block(skim);
            } else if self.read()? == 0 && !self.goes_on(segments)? {
                self.is_dry = true;
                self.dry_at = Some(self.looked_at);
                self.block = Vec::new();
                self.next = 0;
            }
        }
        Ok(self.head.as_ref())
    }

    /// Takes the incomplete last line, if there is one, as the next line.
    pub(crate) fn end_line(&mut self) {
        if self.head.is_none() && !self.pending.is_empty() {
            self.head = Some(self.line());
        }
    }

    /// Closes the file, if it has been read to its end. It is opened again if there is more.
    pub(crate) fn close(&mut self) {
        if let Some(open) = self.open.take_if(|_| self.is_dry) {
            self.position = open.position();
        }
    }

    /// Takes the next line.
    pub(crate) fn take(&mut self) -> Option<Line> {
        self.head.take()
    }

    /// Whether every line that exists has been taken.
    pub(crate) fn is_read(&self) -> bool {
        self.is_dry && self.head.is_none() && self.pending.is_empty()
    }

    /// Whether no line of the run has been read yet, and the first one came later than that.
    pub(crate) fn begins_after(&mut self, time: SystemTime) -> bool {
        let is_untouched = self.open.is_none() && self.head.is_none() && !self.is_dry;
        let offset = self.position;
        is_untouched && self.times.time_of(offset, offset).is_some_and(|begin| begin > time)
    }

    /// The beginning of a line whose end is awaited, if it was not returned yet.
    pub(crate) fn begun(&mut self) -> Option<Line> {
        let is_due = self.read_at.elapsed() >= PAUSED && self.pending.len() > self.shown;
        if !is_due || self.head.is_some() {
            return None;
        }
        let line = Line {
            run: self.begin.segment.run,
            bytes: self.pending.clone(),
            at: self.time_of_line(),
            end: self.begin,
            shown: self.shown,
        };
        self.shown = self.pending.len();
        Some(line)
    }

    /// The place where the first line begins that was not taken.
    pub(crate) fn place(&self) -> Place {
        if self.head.is_some() { self.head_begin } else { self.begin }
    }

    /// Whether the run has written nothing for a while, so that an incomplete line may stay incomplete.
    pub(crate) fn is_quiet(&self) -> bool {
        self.read_at.elapsed() >= QUIET
    }

    /// After how long an incomplete line is to be asked for again although no byte has come: its beginning is shown after [`PAUSED`],
    /// and if `ends` is set, it is taken as complete after [`QUIET`]. `None`: nothing will change without a new byte.
    pub(crate) fn due(&self, ends: bool) -> Option<Duration> {
        let left = |limit: Duration| limit.saturating_sub(self.read_at.elapsed());
        let begun = (self.pending.len() > self.shown).then(|| left(PAUSED));
        let ended = (ends && !self.pending.is_empty()).then(|| left(QUIET));
        [begun, ended].into_iter().flatten().min()
    }

    fn read(&mut self) -> io::Result<usize> {
        if self.open.is_none() {
            self.open = OpenSegment::open(&self.series, self.segment, self.position)?;
        }
        let Some((open, (_, end))) = self.open.as_mut().zip(self.extent.of(self.segment)) else {
            return Ok(0);
        };
        let left = usize::try_from(end.saturating_sub(open.position())).unwrap_or(usize::MAX);
        self.block.resize(BLOCK.min(left), 0);
        let offset = open.position();
        let read = open.read(&mut self.block)?;
        self.block.truncate(read);
        if read > 0 {
            (self.next, self.offset, self.read_at) = (0, offset, Instant::now());
            self.begins_here();
        }
        Ok(read)
    }

    /// Whether there is more to read: in the file, in another one that has its name now, or in the next segment.
    fn goes_on(&mut self, segments: &[Segment]) -> io::Result<bool> {
        if self.extent.end.is_some_and(|end| end.segment <= self.segment) {
            return Ok(false);
        }
        let before = self.open.as_ref().map(OpenSegment::position);
        if self.open.as_mut().map_or(Ok(false), OpenSegment::goes_on)? {
            if self.open.as_ref().map(OpenSegment::position) != before {
                self.times.forget();
            }
            return Ok(true);
        }
        let is_next = |next: &&Segment| next.run == self.segment.run && **next > self.segment;
        let Some(next) = segments.iter().find(is_next) else { return Ok(false) };
        (self.segment, self.position, self.open) = (*next, 0, None);
        self.times = LineTimes::new(self.series.times_path(*next));
        self.dry_at = None;
        Ok(true)
    }

    /// The line that ends in the block, if one does. Lines that the filter does not select are skipped many at a time.
    fn line_in_block(&mut self, skim: Option<&Skim>) -> Option<Line> {
        if let Some(skim) = skim.filter(|_| self.pending.is_empty()) {
            self.skip(skim);
        }
        let rest = &self.block[self.next..];
        let end = memchr(b'\n', rest);
        self.pending.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
        self.next += end.map_or(rest.len(), |end| end + 1);
        let is_due = end.is_some() || self.pending.len() >= LONGEST;
        is_due.then(|| self.line())
    }

    /// Moves to the first whole line of the block that may be selected, or else to the last, incomplete one.
    fn skip(&mut self, skim: &Skim) {
        let Some(last) = memrchr(b'\n', &self.block[self.next..]) else { return };
        let whole = &self.block[self.next..=self.next + last];
        self.next += match skim.find(whole) {
            Some(place) => memrchr(b'\n', &whole[..place.min(last)]).map_or(0, |before| before + 1),
            None => whole.len(),
        };
        self.begins_here();
    }

    /// Completes the line that is being put together.
    fn line(&mut self) -> Line {
        let at = self.time_of_line();
        self.head_begin = self.begin;
        let run = self.segment.run;
        let bytes = std::mem::take(&mut self.pending);
        let shown = std::mem::take(&mut self.shown);
        self.begins_here();
        Line { run, bytes, at, end: self.begin, shown }
    }

    /// Begins a new line with the next byte of the block, unless a line is being put together.
    fn begins_here(&mut self) {
        if self.pending.is_empty() {
            self.not_before = self.dry_at;
            self.begin = Place { segment: self.segment, offset: self.offset + self.next as u64 };
        }
    }

    fn time_of_line(&mut self) -> Option<SystemTime> {
        // The times of an earlier segment are not looked up again for a line that ends in the next one.
        let offset = if self.begin.segment == self.segment { self.begin.offset } else { 0 };
        let at = self.times.time_of(offset, self.offset + self.block.len() as u64);
        // The record of bytes that were just written may not exist yet.
        max(at, self.not_before)
    }
}
