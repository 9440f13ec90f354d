//! The FIFO that a process writes to. Every process that has it open also has it open for reading, so that it never breaks
//! when another one dies.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// Opens the end that a process writes to.
pub fn writing_end(path: &Path) -> io::Result<OwnedFd> {
    let end = open(path, OFlags::empty())?;
    if is_fifo(&end) { Ok(end) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Whether a process has the FIFO open for reading, so that its content still exists; `None` if that cannot be determined, because the
/// FIFO does not exist.
pub fn is_held(path: &Path) -> Option<bool> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(end) => is_fifo(&end).then_some(true),
        Err(Errno::NXIO) => Some(false),
        Err(_) => None,
    }
}

/// The nonblocking reading end; the FIFO is made if it does not exist.
pub(crate) fn open_reading_end(path: &Path) -> Result<OwnedFd, Error> {
    make(path).map_err(|errno| Error::io("create", path, errno))?;
    let fifo = open(path, OFlags::NONBLOCK).map_err(|errno| Error::io("open", path, errno))?;
    if !is_fifo(&fifo) {
        let reason = io::Error::new(io::ErrorKind::InvalidData, "it is not a FIFO: remove it");
        return Err(Error::io("open", path, reason));
    }
    Ok(fifo)
}

fn is_fifo(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

fn make(path: &Path) -> Result<(), Errno> {
    match rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0) {
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags, Mode::empty())
}
