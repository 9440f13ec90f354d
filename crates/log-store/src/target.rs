//! The segment that is written to: which one it is, its end, and when the next one is begun.
//!
//! A writer locks its segment (flock), so that no other process compresses or removes it. If a writer finds a segment
//! locked, because it is being compressed, it begins the next one. The lock is given back before the file is closed: a child
//! that was forked and has not yet executed its program has the file open as well, and would keep the lock.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::limits::Limits;
use crate::series::{Segment, Series};
use crate::times::Times;

/// A segment that is this close to its limit, in bytes, is followed by the next one as soon as it ends with a line.
const ALMOST: u64 = 64 << 10;
/// How many times other programs may interfere while a segment is opened.
const TRIES: u32 = 16;

/// An open segment and its end.
#[derive(Debug)]
pub(crate) struct Target {
    series: Series,
    segment: Segment,
    file: File,
    end: u64,
    /// When the segment was begun.
    since: SystemTime,
    times: Times,
}

impl Target {
    /// Opens the run's last segment, or `at_least` if that is later; it is made if it does not exist.
    pub(crate) fn open(series: &Series, at_least: Segment) -> io::Result<Self> {
        let mut segment = current(series, at_least)?;
        for _ in 0..TRIES {
            let path = series.path(segment);
            let file = match open_to_write(&path, false) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    make_directory(series.directory())?;
                    open_to_write(&path, false)?
                }
                opened => opened?,
            };
            let is_ours = lock(&file)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not an ordinary file: move it away"));
            }
            if is_ours && is_named(&metadata, &path) && !series.packed_path(segment).exists() {
                let since = metadata.created().or_else(|_| metadata.modified())?;
                let (series, times) = (series.clone(), Times::default());
                return Ok(Self { series, segment, file, end: metadata.len(), since, times });
            }
            // The segment is being compressed, or has just been removed.
            segment = current(series, if is_ours { segment } else { segment.next() })?;
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "others go on changing it"))
    }

    /// Makes the first segment of a run that has no logs yet; `None` if that is not possible, for example because the run
    /// has some.
    pub(crate) fn begin(series: &Series, first: Segment) -> Option<Self> {
        let path = series.path(first);
        let made = match open_to_write(&path, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(series.directory()).ok()?;
                open_to_write(&path, true)
            }
            made => made,
        };
        let is_first = |file: &File| matches!(lock(file), Ok(true)) && !series.packed_path(first).exists();
        let file = made.ok().filter(is_first)?;
        let (since, times) = (SystemTime::now(), Times::default());
        Some(Self { series: series.clone(), segment: first, file, end: 0, since, times })
    }

    /// The segment.
    pub(crate) fn segment(&self) -> Segment {
        self.segment
    }

    /// The file of the segment.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The length of the segment, in bytes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Finds the end of the file that has the segment's name now.
    pub(crate) fn find_end(&mut self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        if is_named(&ours, &self.series.path(self.segment)) {
            if ours.len() < self.end {
                self.forget_times();
            }
            // There is no other writer, so a shorter file was truncated, and a longer one was filled by a program that
            // copies it back.
            self.end = ours.len();
            return Ok(());
        }
        self.forget_times();
        *self = Self::open(&self.series, self.segment)?;
        Ok(())
    }

    /// Begins the next segment if this one is full or its time is over. Returns whether it did. If the next one cannot be
    /// made, this one is still used.
    pub(crate) fn rotate(&mut self, limits: &Limits) -> bool {
        self.is_over(limits) && self.go_on_in_next().is_ok()
    }

    /// Begins the next segment. If it cannot be made, this one is still used.
    pub(crate) fn go_on_in_next(&mut self) -> io::Result<()> {
        *self = Self::open(&self.series, self.segment.next())?;
        Ok(())
    }

    /// Removes all bytes of the segment, but not its file.
    pub(crate) fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.end = 0;
        self.forget_times();
        Ok(())
    }

    fn forget_times(&mut self) {
        self.times.forget(&self.series.times_path(self.segment));
    }

    fn is_over(&self, limits: &Limits) -> bool {
        if self.end == 0 {
            return false;
        }
        let is_almost_full = self.end >= limits.size.saturating_sub(ALMOST.min(limits.size / 16));
        self.end >= limits.size
            || (is_almost_full && self.ends_with_a_line())
            || self.since.elapsed().is_ok_and(|age| age >= limits.turn())
    }

    fn ends_with_a_line(&self) -> bool {
        let mut last = [0];
        self.file.read_exact_at(&mut last, self.end.saturating_sub(1)).is_ok() && last == *b"\n"
    }

    /// Accounts for bytes that were appended.
    pub(crate) fn has_grown(&mut self, bytes: u64) -> io::Result<()> {
        let before = self.end;
        self.end += bytes;
        self.times.note(before, || self.series.times_path(self.segment));
        self.close_gap(before)
    }

    /// If the file was truncated between finding its end and the move, it begins with a hole: the moved bytes are shifted
    /// to the beginning of the file.
    fn close_gap(&mut self, before: u64) -> io::Result<()> {
        let is_whole = before == 0
            || !matches!(rustix::fs::seek(&self.file, SeekFrom::Data(0)), Ok(first) if first > 0 && first <= before);
        if is_whole {
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(self.end - before).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, before)?;
        self.file.set_len(0)?;
        self.file.write_all_at(&bytes, 0)?;
        self.end = bytes.len() as u64;
        self.forget_times();
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// The run's last segment, or the next one if the last is compressed.
fn current(series: &Series, at_least: Segment) -> io::Result<Segment> {
    let last = series.last_of(at_least.run)?.filter(|(last, _)| *last >= at_least);
    Ok(last.map_or(at_least, |(last, is_packed)| if is_packed { last.next() } else { last }))
}

/// Whether the file at that path is the one with this metadata.
fn is_named(ours: &Metadata, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino()))
}

/// Locks a segment, unless another process has locked it. On a file system without locks no other process compresses
/// segments, so there the segment counts as locked.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK | Errno::INVAL) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the directory of logs, but not that of the instance: if that is gone, the app was destroyed.
fn make_directory(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens or makes the file at that path, or only makes it (`is_new`). If the file existed, the caller checks what kind it
/// is.
fn open_to_write(path: &Path, is_new: bool) -> io::Result<File> {
    // Opening must not block on a FIFO in the file's place.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).create_new(is_new).truncate(false).mode(0o600);
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)
}
