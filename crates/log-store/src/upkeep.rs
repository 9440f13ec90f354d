//! What is done to the logs of a stream because somebody asks for it: they go on in new files, or they are emptied. Only
//! whoever may write to the stream does it.

use std::io;

use crate::capture::Capture;
use crate::piece::Piece;
use crate::prune::{forget_losses, remove_files};
use crate::series::{Segment, Series};
use crate::target::Target;

/// What is done to the logs of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// What is written from now on goes to a new segment, so that the present one is complete. Nothing is lost.
    Rotate,
    /// What was written until now is removed.
    Flush,
}

impl Upkeep {
    /// Does it to a series. `writers` are all captures that write to it; nobody else may begin to meanwhile. Returns how many
    /// bytes of output were rotated or removed, before compression. A reader that follows the series goes on behind them.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be made or removed. What could be done is done.
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

/// Nobody writes: whoever goes on in the last segment finds another one.
fn rotate_idle(series: &Series) -> io::Result<u64> {
    // A compressed one is complete.
    let last = series.segments()?.pop().filter(|last| series.path(*last).exists());
    let Some(last) = last else { return Ok(0) };
    let bytes = length(series, last)?;
    if bytes > 0 {
        Target::open(series, last.next())?;
    }
    Ok(bytes)
}

/// First whatever nobody writes to, which makes room on a full disk for the segments that come.
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

/// How many bytes of output a segment has.
fn length(series: &Series, segment: Segment) -> io::Result<u64> {
    Piece::open(series, segment)?.map_or(Ok(0), |piece| piece.len())
}

/// All of them, or the first error; each is asked for.
fn sum(parts: impl IntoIterator<Item = io::Result<u64>>) -> io::Result<u64> {
    // All of them are carried out before the first error is returned.
    let done: Vec<io::Result<u64>> = parts.into_iter().collect();
    done.into_iter().sum()
}
