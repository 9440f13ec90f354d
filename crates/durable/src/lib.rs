//! Reads that always end, and writes that happen completely or not at all.
//!
//! A file that is to be read may have been replaced by a FIFO, a device or a directory, may have a gigabyte, or may be
//! on a file system that no longer answers. None of this may hang a program or fill its memory. There are three
//! readers, one for each kind of file: [`state`] for files of our own ([`OpenDirectory`] if many of them are in one
//! directory), [`input`] for files that a person put into a directory, and [`argument`] for a file that a person named,
//! which may be a pipe. There are three writers: [`Directory`] for files that must survive a crash of the machine
//! ([`Syncs`] if many of them are written at once, [`replace_durably`] if nobody else writes the file), [`replace`] for files that need not
//! ([`refresh`] if another file has the same content), and [`Records`] for files that only grow.
//!
//! The crate does not interpret the content of a file, and never repairs one.

mod access;
mod argument;
mod create;
mod directory;
mod error;
mod input;
mod open_directory;
mod pin;
mod records;
mod replace;
mod syncs;
mod turn;

pub use access::Access;
pub use argument::{Stop, argument};
pub use create::{create_below, create_below_with, create_private, create_root};
pub use directory::{Directory, STAGE, stage_of};
pub use error::{ReadError, WriteError};
pub use input::{input, is_file};
pub use open_directory::OpenDirectory;
pub use pin::{Pin, is_at};
pub use records::Records;
pub use replace::{refresh, replace, replace_durably};
pub use syncs::Syncs;
pub use turn::take_turn;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;

/// The bytes of a file that this project writes: a regular file of at most `max` bytes. The last part of the path must not be a symlink.
pub fn state(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    regular(open_at_once(path)?, max)
}

/// Opens a file of this project that is too large to be read whole, such as a log. It must be regular; the last part of the path must not
/// be a symlink.
pub fn open(path: &Path) -> Result<File, ReadError> {
    only_regular(open_at_once(path)?)
}

/// The flags for opening a file that may be anything: opening a FIFO does not block, and a terminal does not become the controlling one.
const READING: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

fn open_at_once(path: &Path) -> Result<File, ReadError> {
    Ok(File::from(retry_on_intr(|| rustix::fs::open(path, READING, Mode::empty()))?))
}

fn only_regular(file: File) -> Result<File, ReadError> {
    let file_type = file.metadata()?.file_type();
    if file_type.is_file() { Ok(file) } else { Err(ReadError::NotAFile(error::kind(file_type))) }
}

/// The bytes of an open regular file. One read suffices if the file is as long as fstat(2) said, which matters because reports read
/// thousands of files.
fn regular(file: File, max: u64) -> Result<Vec<u8>, ReadError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(error::kind(metadata.file_type())));
    }
    if metadata.len() > max {
        return Err(ReadError::TooLarge(max));
    }
    let length = usize::try_from(metadata.len()).unwrap_or(0);
    let mut bytes = vec![0; length + 1];
    let filled = retry_on_intr(|| rustix::io::read(&file, &mut bytes)).map_err(io::Error::from)?;
    bytes.truncate(filled);
    if filled == length { at_most(bytes, max) } else { rest(file, bytes, max) }
}

/// The rest of a file after the bytes that were read already, together with these.
fn rest(file: File, mut bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, ReadError> {
    file.take((max + 1).saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes)?;
    at_most(bytes, max)
}

fn at_most(bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, ReadError> {
    if bytes.len() as u64 > max { Err(ReadError::TooLarge(max)) } else { Ok(bytes) }
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
