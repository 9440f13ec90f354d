//! Reads the output of one run: its segments as one stream of bytes, since a line may begin in one segment and end in the
//! next.

use std::io;
use std::ops::ControlFlow;

use crate::Line;
use crate::extent::Extent;
use crate::open_segment::OpenSegment;
use crate::series::{Segment, Series};

/// The longest line that is returned whole, in bytes; a longer one is returned in pieces.
const LONGEST: usize = 1 << 20;
/// After how many reads without a byte a run counts as quiet.
const QUIET_LOOKS: u32 = 10;
const BUFFER: usize = 1 << 16;

/// The receiver of lines; it breaks when it wants no more.
pub(crate) type Sink<'a> = dyn FnMut(Line) -> ControlFlow<()> + 'a;

/// The reading position in a run.
#[derive(Debug)]
pub(crate) struct RunReader {
    extent: Extent,
    segment: Segment,
    position: u64,
    open: Option<OpenSegment>,
    pending: Vec<u8>,
    looks_without_bytes: u32,
}

impl RunReader {
    /// A run of which this is read.
    pub(crate) fn new(extent: Extent) -> Self {
        let (segment, position) = (extent.begin.segment, extent.begin.offset);
        Self { extent, segment, position, open: None, pending: Vec::new(), looks_without_bytes: 0 }
    }

    /// Returns the new complete lines. `segments` are those that existed before this read: if one after the current is
    /// among them, the current one gets no more bytes.
    pub(crate) fn hand_out(
        &mut self,
        series: &Series,
        segments: &[Segment],
        sink: &mut Sink<'_>,
    ) -> io::Result<ControlFlow<()>> {
        let mut buffer = vec![0; BUFFER];
        self.looks_without_bytes = self.looks_without_bytes.saturating_add(1);
        loop {
            let filled = self.read(series, &mut buffer)?;
            if filled > 0 {
                self.looks_without_bytes = 0;
                if self.take(&buffer[..filled], sink).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            } else if !self.goes_on(segments)? {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Returns the incomplete last line.
    pub(crate) fn hand_out_rest(&mut self, sink: &mut Sink<'_>) -> ControlFlow<()> {
        if self.pending.is_empty() {
            return ControlFlow::Continue(());
        }
        sink(Line { run: self.segment.run, bytes: std::mem::take(&mut self.pending) })
    }

    /// Whether the run has written nothing for a while, so that an incomplete line may stay incomplete.
    pub(crate) fn is_quiet(&self) -> bool {
        self.looks_without_bytes >= QUIET_LOOKS
    }

    fn read(&mut self, series: &Series, buffer: &mut [u8]) -> io::Result<usize> {
        if self.open.is_none() {
            self.open = OpenSegment::open(series, self.segment, self.position)?;
        }
        let Some((open, (_, end))) = self.open.as_mut().zip(self.extent.of(self.segment)) else {
            return Ok(0);
        };
        let left = usize::try_from(end.saturating_sub(open.position())).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        open.read(&mut buffer[..length])
    }

    /// Whether there is more to read: in the file, in another one that has its name now, or in the next segment.
    fn goes_on(&mut self, segments: &[Segment]) -> io::Result<bool> {
        if self.extent.end.is_some_and(|end| end.segment <= self.segment) {
            return Ok(false);
        }
        if self.open.as_mut().map_or(Ok(false), OpenSegment::goes_on)? {
            return Ok(true);
        }
        let is_next = |next: &&Segment| next.run == self.segment.run && **next > self.segment;
        let Some(next) = segments.iter().find(is_next) else { return Ok(false) };
        (self.segment, self.position, self.open) = (*next, 0, None);
        Ok(true)
    }

    fn take(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut pieces = bytes.split_inclusive(|byte| *byte == b'\n');
        pieces.try_for_each(|piece| {
            self.pending.extend_from_slice(piece);
            let has_end = self.pending.pop_if(|byte| *byte == b'\n').is_some();
            if !has_end && self.pending.len() < LONGEST {
                return ControlFlow::Continue(());
            }
            sink(Line { run: self.segment.run, bytes: std::mem::take(&mut self.pending) })
        })
    }
}
