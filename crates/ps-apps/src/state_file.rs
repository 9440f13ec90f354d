//! Reads our files that other programs may write in place: the whole file, at most [`MAX_BYTES`], never through a
//! symbolic link at the last part of the path.

use std::path::Path;
use std::thread;
use std::time::Duration;

use durable::{OpenDirectory, ReadError};

use crate::Error;

/// The largest state file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

const EMPTY_TRIES: u32 = 5;
const EMPTY_PAUSE: Duration = Duration::from_millis(10);

/// Reads a whole file: `None` if it does not exist. With `retry_empty`, an empty file is read again for up to 50 ms before
/// that is returned, because Dokku truncates a file first and writes it afterwards.
pub fn read(path: &Path, retry_empty: bool) -> Result<Option<Vec<u8>>, Error> {
    read_by(path, retry_empty, || durable::state(path, MAX_BYTES))
}

/// As [`read`], for a file of this many bytes at most.
pub(crate) fn read_up_to(most: u64, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    found(path, durable::state(path, most))
}

/// As [`read`], as text.
pub fn read_text(path: &Path, retry_empty: bool) -> Result<Option<String>, Error> {
    read(path, retry_empty)?.map(|bytes| text(path, bytes)).transpose()
}

/// As [`read_text`], for a file in a directory that is open; `path` is where that directory was found, for messages.
pub(crate) fn read_text_in(
    directory: &OpenDirectory,
    path: &Path,
    name: &str,
    retry_empty: bool,
) -> Result<Option<String>, Error> {
    let path = path.join(name);
    let read = read_by(&path, retry_empty, || directory.state(name, MAX_BYTES))?;
    read.map(|bytes| text(&path, bytes)).transpose()
}

fn read_by(
    path: &Path,
    retry_empty: bool,
    once: impl Fn() -> Result<Vec<u8>, ReadError>,
) -> Result<Option<Vec<u8>>, Error> {
    for _ in 0..EMPTY_TRIES {
        match found(path, once())? {
            Some(bytes) if bytes.is_empty() && retry_empty => thread::sleep(EMPTY_PAUSE),
            read => return Ok(read),
        }
    }
    found(path, once())
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|b| *b == b'\n').count();
        Error::Corrupt { path: path.to_owned(), line: Some(line), reason: "not UTF-8: write it again".into() }
    })
}

fn found(path: &Path, read: Result<Vec<u8>, ReadError>) -> Result<Option<Vec<u8>>, Error> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Missing) => Ok(None),
        Err(ReadError::Io(error)) => Err(Error::io("read", path, error)),
        Err(error @ ReadError::TooLarge(_)) => Err(corrupt(
            path,
            &format!("{error}: no value is as long as this: remove it and write the value again"),
        )),
        Err(error) => Err(corrupt(path, &format!("{error}: remove it and write the value again"))),
    }
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { path: path.to_owned(), line: None, reason: reason.to_owned() }
}
