//! Removes segments that exceed the limits of number, age or size, except those that are written to.

use std::fs;
use std::io;
use std::time::SystemTime;

use crate::limits::Limits;
use crate::series::{Segment, Series};
use crate::target::lock;

/// The segments of a series on the disk.
struct Lying {
    segment: Segment,
    bytes: u64,
    modified: SystemTime,
}

/// Removes segments until the limits hold, the oldest first.
pub(crate) fn prune(series: &Series, limits: &Limits) -> io::Result<()> {
    let segments = series.segments()?;
    let mut lying: Vec<Lying> = segments.iter().filter_map(|segment| Lying::of(series, *segment)).collect();
    let now = SystemTime::now();
    let is_old = |it: &Lying| now.duration_since(it.modified).is_ok_and(|age| age > limits.age);
    let mut bytes: u64 = lying.iter().map(|it| it.bytes).sum();
    let mut count = lying.len();
    lying.retain(|it| {
        let is_beyond = count > limits.files || bytes > limits.total() || is_old(it);
        let is_removed = is_beyond && remove(series, it.segment);
        if is_removed {
            count -= 1;
            bytes -= it.bytes;
        }
        !is_removed
    });
    forget_losses(series, &segments, |run| lying.iter().any(|it| it.segment.run == run));
    Ok(())
}

/// Removes the files that count lost bytes of runs that have no segment any more.
pub(crate) fn forget_losses(series: &Series, earlier: &[Segment], is_left: impl Fn(u64) -> bool) {
    for run in earlier.iter().map(|segment| segment.run) {
        if !is_left(run) {
            let _ = fs::remove_file(series.lost_path(run));
        }
    }
}

impl Lying {
    fn of(series: &Series, segment: Segment) -> Option<Self> {
        let plain = fs::symlink_metadata(series.path(segment));
        let file = plain.or_else(|_| fs::symlink_metadata(series.packed_path(segment))).ok()?;
        let modified = file.modified().ok()?;
        Some(Self { segment, bytes: file.len(), modified })
    }
}

/// Removes a segment, unless a process writes to it or compresses it. Returns whether it was removed.
fn remove(series: &Series, segment: Segment) -> bool {
    if let Ok(file) = durable::open(&series.path(segment))
        && !lock(&file).unwrap_or(false)
    {
        return false;
    }
    remove_files(series, segment).is_ok()
}

/// Removes the files of a segment. The file with the output goes last, because the other files are found by it.
pub(crate) fn remove_files(series: &Series, segment: Segment) -> io::Result<()> {
    let _ = fs::remove_file(series.times_path(segment));
    for path in [series.packed_path(segment), series.path(segment)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => (),
        }
    }
    Ok(())
}
