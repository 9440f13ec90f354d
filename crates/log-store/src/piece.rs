//! The bytes of one segment, compressed or not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use durable::ReadError;

use crate::packed::Packed;
use crate::series::{Segment, Series};

/// An open segment.
#[derive(Debug)]
pub(crate) enum Piece {
    /// An uncompressed file.
    Plain(File),
    /// A compressed file.
    Packed(Packed),
}

impl Piece {
    /// Opens a segment; `None` if it does not exist. If both the plain and the compressed file exist, the segment has
    /// just been compressed, and both have the same content.
    pub(crate) fn open(series: &Series, segment: Segment) -> io::Result<Option<Self>> {
        match durable::open(&series.path(segment)) {
            Ok(file) => return Ok(Some(Self::Plain(file))),
            Err(ReadError::Missing) => (),
            Err(error) => return Err(error.into()),
        }
        match durable::open(&series.packed_path(segment)) {
            Ok(file) => Packed::open(file).map(Self::Packed).map(Some),
            Err(ReadError::Missing) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The length of the segment, uncompressed, in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Packed(packed) => Ok(packed.len()),
        }
    }

    /// Reads bytes at an offset; 0 at the end.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, position),
            Self::Packed(packed) => packed.read_at(buffer, position),
        }
    }

    /// Fills the buffer from an offset on. Returns whether there were enough bytes.
    pub(crate) fn fill_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], position + filled as u64)? {
                0 => return Ok(false),
                n => filled += n,
            }
        }
        Ok(true)
    }
}
