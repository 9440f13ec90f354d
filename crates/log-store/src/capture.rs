//! Writes one stream of a run. The process writes into a FIFO that it holds open, and the bytes are spliced into a segment at a
//! known offset. No byte passes through the memory of the writer, so none is lost or doubled if the writer is killed. For
//! comparison, a logger that copied by `read` and `write` lost the bytes that it had read and not written: 10,415 of 5.3 million
//! records when it was killed 60 times under load.
//!
//! Other programs may truncate the log (`: >log`, copytruncate), rename it or remove it (logrotate) at any time. The path
//! decides: bytes are appended to the file that has the name at that moment, and if there is none, a new file is made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

use crate::Error;
use crate::fifo;
use crate::last_lines::Place;
use crate::limits::{Limits, WhenFull};
use crate::log::Log;
use crate::lost::{Lost, LostFile};
use crate::prune::{prune, remove_files};
use crate::series::{Segment, Series};
use crate::target::Target;

/// The most bytes that are moved in one turn, so that other streams get their turn.
const TURN: u64 = 1 << 20;
/// How many bytes are read at once when they are dropped.
const CHUNK: usize = 64 << 10;

/// A FIFO and the segment that its bytes go to.
#[derive(Debug)]
pub struct Capture {
    fifo: OwnedFd,
    series: Series,
    log: Log,
    limits: Limits,
    lost: LostFile,
    /// The capacity of the FIFO, in bytes.
    room: usize,
}

/// The result of a move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many bytes left the FIFO.
    pub bytes: u64,
    /// How many of them were dropped.
    pub dropped: u64,
    /// Whether a segment was full and the next one was begun, so that the full one can be compressed.
    pub has_rotated: bool,
}

impl Capture {
    /// Opens the FIFO, which is made if necessary, and the run's last segment.
    pub fn open(fifo: &Path, series: &Series, run: u64, limits: Limits) -> Result<Self, Error> {
        let first = Segment::first_of(run);
        let target = Target::open(series, first);
        let target = target.map_err(|error| Error::io("open", &series.path(first), error))?;
        Self::of(fifo, series, |_| Ok(Log::Open(target)), LostFile::open(series, run), limits)
    }

    /// As [`Capture::open`] for a new run, which has no FIFO and no log yet, so that neither is looked for. The log is made by
    /// [`Capture::make_log`] or with the first byte: the process need not wait for that, and creating a file may take longer than
    /// the rest of a start.
    pub fn begin(fifo: &Path, series: &Series, run: u64, limits: Limits) -> Result<Self, Error> {
        let first = Segment::first_of(run);
        if !series.can_begin(first) {
            return Self::open(fifo, series, run, limits);
        }
        let log = |fifo: &OwnedFd| {
            Log::later(first, fifo).map_err(|error| Error::io("open", &series.path(first), error))
        };
        Self::of(fifo, series, log, LostFile::nothing_yet(series, run), limits)
    }

    fn of(
        fifo: &Path,
        series: &Series,
        log: impl FnOnce(&OwnedFd) -> Result<Log, Error>,
        lost: LostFile,
        limits: Limits,
    ) -> Result<Self, Error> {
        let fifo = fifo::open_reading_end(fifo)?;
        let room = rustix::pipe::fcntl_getpipe_size(&fifo).unwrap_or(0);
        Ok(Self { log: log(&fifo)?, fifo, series: series.clone(), limits, lost, room })
    }

    /// Makes the log, if it does not exist yet. If that fails, it is tried again when bytes come.
    pub fn make_log(&mut self) {
        let _ = self.log.target(&self.series);
    }

    /// Whether the open FIFO is the one at this path.
    pub fn is_at(&self, fifo: &Path) -> bool {
        let there = rustix::fs::lstat(fifo);
        let held = rustix::fs::fstat(&self.fifo);
        matches!((there, held), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }

    /// The descriptors that are open.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.fifo.as_fd(), self.log.fd()]
    }

    /// The descriptor that becomes readable when bytes come.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fifo.as_fd()
    }

    /// The place at which the next byte will be written.
    pub fn place(&self) -> Place {
        match &self.log {
            Log::Later { first, .. } => Place { segment: *first, offset: 0 },
            Log::Open(target) => {
                let segment = target.segment();
                let length = std::fs::metadata(self.series.path(segment)).map_or(0, |log| log.len());
                Place { segment, offset: length }
            }
        }
    }

    /// How many bytes of the run were dropped so far.
    pub fn lost(&self) -> Lost {
        self.lost.lost()
    }

    /// Counts the capacity of the FIFO as possibly lost, because the FIFO is gone and it is not known how many bytes were in it.
    pub fn doubt(&mut self) {
        self.lost.doubt(self.room as u64);
    }

    /// Changes the limits.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The capacity of the FIFO, in bytes.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Changes the capacity of the FIFO, if the system permits that and the FIFO's content fits.
    pub fn resize(&mut self, room: usize) {
        if rustix::pipe::fcntl_setpipe_size(&self.fifo, room).is_ok() {
            self.room = room;
        }
    }

    /// Moves the bytes that are in the FIFO, as many as one turn allows.
    ///
    /// # Errors
    /// The log cannot be written and bytes may not be dropped. The bytes stay in the FIFO.
    pub fn move_bytes(&mut self) -> io::Result<Moved> {
        let there = rustix::io::ioctl_fionread(&self.fifo)?;
        if there == 0 {
            return Ok(Moved::default());
        }
        match self.store() {
            Err(error) if self.limits.when_full == WhenFull::Drop && is_for_lack_of_room(&error) => {
                let dropped = self.drop_bytes(there.min(TURN));
                Ok(Moved { bytes: dropped, dropped, has_rotated: false })
            }
            moved => moved,
        }
    }

    /// Makes the file that counts dropped bytes, if bytes may be dropped and the disk has room for the file now.
    pub fn prepare_for_loss(&mut self) {
        if self.limits.when_full == WhenFull::Drop {
            self.lost.prepare();
        }
    }

    /// Moves the bytes that are in the FIFO into the log, at most as many as the FIFO can hold: more can only come from a process
    /// that still writes. Bytes that cannot be written stay in the FIFO.
    pub fn drain(&mut self) {
        let (mut taken, room) = (0, self.room as u64);
        while taken <= room {
            match self.move_bytes() {
                Ok(moved) if moved.bytes > 0 || moved.has_rotated => taken += moved.bytes.max(1),
                Ok(_) | Err(_) => break,
            }
        }
    }

    /// Begins a new segment, whatever the limits are. Returns the length of the old one, in bytes; 0: it was empty, and is still
    /// used.
    ///
    /// # Errors
    /// The new segment cannot be made, so the old one is still used.
    pub(crate) fn rotate(&mut self) -> io::Result<u64> {
        let Log::Open(target) = &mut self.log else { return Ok(0) };
        target.find_end()?;
        let bytes = target.end();
        if bytes > 0 {
            target.go_on_in_next()?;
            // Segments that cannot be removed now are tried again at the next rotation.
            let _ = prune(&self.series, &self.limits);
        }
        Ok(bytes)
    }

    /// As [`Capture::rotate`], and the old segment is removed. If the new one cannot be made, because the disk is full, the old
    /// one is emptied.
    ///
    /// # Errors
    /// The log cannot be emptied either.
    pub(crate) fn begin_anew(&mut self) -> io::Result<u64> {
        let Log::Open(target) = &mut self.log else { return Ok(0) };
        target.find_end()?;
        let (over, bytes) = (target.segment(), target.end());
        if bytes == 0 {
            return Ok(0);
        }
        match target.go_on_in_next() {
            Ok(()) => remove_files(&self.series, over)?,
            Err(_) => target.empty()?,
        }
        Ok(bytes)
    }

    /// The segment that is written to, if it was made already.
    pub(crate) fn segment(&self) -> Option<Segment> {
        match &self.log {
            Log::Later { .. } => None,
            Log::Open(target) => Some(target.segment()),
        }
    }

    fn store(&mut self) -> io::Result<Moved> {
        let target = self.log.target(&self.series)?;
        target.find_end()?;
        let has_rotated = target.rotate(&self.limits);
        if has_rotated {
            // Segments that cannot be removed now are tried again at the next rotation.
            let _ = prune(&self.series, &self.limits);
        }
        if self.limits.when_full == WhenFull::Drop {
            self.lost.prepare();
        }
        let mut end = target.end();
        // If the next segment could not be made, this one grows beyond its limit.
        let left = self.limits.size.checked_sub(end).filter(|left| *left > 0);
        let most = usize::try_from(left.unwrap_or(TURN).min(TURN)).unwrap_or(CHUNK);
        let flags = SpliceFlags::NONBLOCK;
        match rustix::pipe::splice(&self.fifo, None, target.fd(), Some(&mut end), most, flags) {
            Ok(bytes) => {
                let bytes = bytes as u64;
                target.has_grown(bytes)?;
                Ok(Moved { bytes, dropped: 0, has_rotated })
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Moved { has_rotated, ..Moved::default() }),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reads this many bytes from the FIFO, drops them and counts them.
    fn drop_bytes(&mut self, bytes: u64) -> u64 {
        let mut buffer = vec![0; CHUNK];
        let mut dropped = 0;
        self.lost.begin(bytes);
        while dropped < bytes {
            let most = usize::try_from(bytes - dropped).unwrap_or(CHUNK).min(CHUNK);
            match rustix::io::read(&self.fifo, &mut buffer[..most]) {
                Ok(0) | Err(_) => break,
                Ok(read) => dropped += read as u64,
            }
        }
        self.lost.end(dropped);
        dropped
    }
}

/// Whether the error means that the disk is full or broken, so that a person has to act. A wrong file in the log's
/// place is not such an error.
fn is_for_lack_of_room(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO | Errno::ROFS))
}
