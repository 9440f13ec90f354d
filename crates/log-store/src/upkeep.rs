//! Operations on the logs of a stream that a person asks for: they continue in new files, or they are emptied. Only the
//! process that may write to the stream does it.

use std::io;

use crate::capture::Capture;
use crate::piece::Piece;
use crate::prune::{forget_losses, remove_files};
use crate::series::{Segment, Series};
use crate::target::Target;

/// An operation on the logs of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// Later output goes to a new segment, so that the present one is complete. Nothing is lost.
    Rotate,
    /// The output so far is removed.
    Flush,
}

impl Upkeep {
    /// Carries out the operation for a series. `writers` are all captures that write to it; no other process may begin to
    /// write meanwhile. Returns how many bytes of output were rotated or removed, before compression. A reader that follows
    /// the series continues behind them.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be made or removed. The other steps are done all the same.
    pub fn carry_out(self, series: &Series, writers: &mut [&mut Capture]) -> io::Result<u64> {
        // Bytes that are still in the pipe belong to the old segment, so they are read first.
        for writer in writers.iter_mut() {
            writer.drain();
        }
        match self {
            Self::Rotate if writers.is_empty() => rotate_idle(series),
            Self::Rotate => sum(writers.iter_mut().map(|writer| writer.rotate())),
            Self::Flush => flush(series, writers),
        }
    }
}

/// Rotates a series that no process writes to: the next writer, which would continue the last segment, finds another one.
fn rotate_idle(series: &Series) -> io::Result<u64> {
    // A compressed segment is complete already.
    let last = series.segments()?.pop().filter(|last| series.path(*last).exists());
    let Some(last) = last else { return Ok(0) };
    let bytes = length(series, last)?;
    if bytes > 0 {
        Target::open(series, last.next())?;
    }
    Ok(bytes)
}

/// Removes the segments that no process writes to first, which makes room on a full disk for new segments.
fn flush(series: &Series, writers: &mut [&mut Capture]) -> io::Result<u64> {
    let segments = series.segments()?;
    let kept: Vec<Segment> = writers.iter().filter_map(|writer| writer.segment()).collect();
    let removed = segments.iter().filter(|segment| !kept.contains(segment)).map(|segment| {
        let bytes = length(series, *segment)?;
        remove_files(series, *segment)?;
        Ok(bytes)
    });
    let removed = sum(removed);
    forget_losses(series, &segments, |run| kept.iter().any(|segment| segment.run == run));
    sum([removed, sum(writers.iter_mut().map(|writer| writer.begin_anew()))])
}

/// The length of a segment in bytes of output.
fn length(series: &Series, segment: Segment) -> io::Result<u64> {
    Piece::open(series, segment)?.map_or(Ok(0), |piece| piece.len())
}

/// The sum of all parts, or the first error.
fn sum(parts: impl IntoIterator<Item = io::Result<u64>>) -> io::Result<u64> {
    // All of them are carried out before the first error is returned.
    let done: Vec<io::Result<u64>> = parts.into_iter().collect();
    done.into_iter().sum()
}
