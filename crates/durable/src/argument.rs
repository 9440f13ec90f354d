//! Reads a file that a person named on the command line: a file, a pipe (such as bash's `<(…)`), a terminal, or `-` for
//! standard input. Reading waits as long as a writer has the pipe open, and stops when the caller's [`Stop`] says so.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{ReadError, error, input};

/// How long a FIFO may wait for its first writer.
const DEADLINE: Duration = Duration::from_secs(10);
const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
const CHUNK: usize = 64 << 10;

/// Called between reads: returns whether the reader is to stop, for example because of Ctrl-C.
pub type Stop<'a> = dyn Fn() -> bool + 'a;

/// The content of a file that a person named; `-` is standard input. A FIFO that is not opened for writing within 10 s is
/// an error.
pub fn argument(path: &Path, max: u64, stop: &Stop<'_>) -> Result<Vec<u8>, ReadError> {
    if path == "-" {
        // Standard input is shared with the program that started this one, so its flags are not changed. It is read when
        // poll(2) says that it is ready.
        return stream(io::stdin().as_fd(), max, false, stop);
    }
    let file_type = std::fs::metadata(path)?.file_type();
    if !file_type.is_fifo() && !file_type.is_char_device() {
        return if file_type.is_file() {
            input(path, max)
        } else {
            Err(ReadError::NotAFile(error::kind(file_type)))
        };
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    stream(file.as_fd(), max, file_type.is_fifo(), stop)
}

/// Reads to the end. `may_lack_writer`: the descriptor is a FIFO that no writer has opened yet, which looks like an end.
fn stream(
    from: BorrowedFd<'_>,
    max: u64,
    may_lack_writer: bool,
    stop: &Stop<'_>,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    let mut deadline = may_lack_writer.then(|| Instant::now() + DEADLINE);
    loop {
        if stop() {
            return Err(ReadError::Interrupted);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(ReadError::Silent(DEADLINE));
        }
        match poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&TURN)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(_) => deadline = None,
        }
        match rustix::io::read(from, &mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(filled) => bytes.extend_from_slice(&chunk[..filled]),
            Err(Errno::AGAIN | Errno::INTR) => (),
            Err(errno) => return Err(errno.into()),
        }
        if bytes.len() as u64 > max {
            return Err(ReadError::TooLarge(max));
        }
    }
}
