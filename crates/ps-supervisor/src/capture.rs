//! One output stream of one instance: a FIFO that the process itself holds open, spliced into a log file at a tracked
//! offset. No byte passes through our memory, so none is lost or doubled when we die (faults E10).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ps_scheduler::Stream;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

use crate::Error;

/// How much is moved before others get their turn.
const TURN: usize = 1 << 20;

/// The directory of the log files in an instance's directory.
pub const LOG_DIRECTORY: &str = "log";

/// The name of a stream's FIFO, and of its log file.
#[must_use]
pub fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

/// A FIFO and the log file it flows into.
#[derive(Debug)]
pub(crate) struct Capture {
    fifo: OwnedFd,
    log: File,
    offset: u64,
}

impl Capture {
    /// Opens (and makes, if need be) the FIFO and the log of one stream in an instance's directory.
    pub(crate) fn open(directory: &Path, stream: Stream) -> Result<Self, Error> {
        let path = directory.join(stream_name(stream));
        make_fifo(&path).map_err(|errno| Error::io("create", &path, errno))?;
        let fifo = open_fifo(&path, OFlags::NONBLOCK).map_err(|errno| Error::io("open", &path, errno))?;
        let logs = directory.join(LOG_DIRECTORY);
        fs::create_dir_all(&logs).map_err(|error| Error::io("create", &logs, error))?;
        let path = logs.join(stream_name(stream));
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(&path);
        let log = open.map_err(|error| Error::io("open", &path, error))?;
        let offset = log.metadata().map_err(|error| Error::io("read", &path, error))?.len();
        Ok(Self { fifo, log, offset })
    }

    /// The end that the process writes to: opened for reading too, so that nobody's death breaks it.
    pub(crate) fn writing_end(directory: &Path, stream: Stream) -> io::Result<OwnedFd> {
        Ok(open_fifo(&directory.join(stream_name(stream)), OFlags::empty())?)
    }

    /// The descriptor to watch.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fifo.as_fd()
    }

    /// Where the log ends, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves what is there, one turn at most; an error if the log cannot take it.
    pub(crate) fn move_bytes(&mut self) -> io::Result<()> {
        match rustix::pipe::splice(
            &self.fifo,
            None,
            &self.log,
            Some(&mut self.offset),
            TURN,
            SpliceFlags::NONBLOCK,
        ) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn make_fifo(path: &Path) -> Result<(), Errno> {
    match rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0) {
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

fn open_fifo(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags, Mode::empty())
}
