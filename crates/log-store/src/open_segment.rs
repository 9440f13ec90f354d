//! A segment that is being read while other programs may truncate or rename it. Bytes that were read are not read again;
//! afterwards, reading continues in the file that then has the name.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::piece::Piece;
use crate::series::{Segment, Series};

/// An open segment, and how far it was read.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    series: Series,
    segment: Segment,
    piece: Piece,
    position: u64,
}

impl OpenSegment {
    /// Opens a segment for reading from `position` on; `None` if it does not exist.
    pub(crate) fn open(series: &Series, segment: Segment, position: u64) -> io::Result<Option<Self>> {
        let piece = Piece::open(series, segment)?;
        Ok(piece.map(|piece| Self { series: series.clone(), segment, piece, position }))
    }

    /// The offset of the next byte that is read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next bytes; 0 at the end of the file.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }

    /// At the end of the file: continues with the file that has the name now, or at the beginning if the file was
    /// truncated. Returns whether there is more to read.
    pub(crate) fn goes_on(&mut self) -> io::Result<bool> {
        // A compressed segment is not written to any more.
        let Piece::Plain(file) = &self.piece else { return Ok(false) };
        let ours = file.metadata()?;
        if self.position > ours.len() {
            self.position = 0;
            return Ok(true);
        }
        // A segment that was renamed or removed has no successor until something is written.
        let path = self.series.path(self.segment);
        let named = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        if named.is_none_or(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(false);
        }
        // Bytes that were written between our last read and the rename are in the old file.
        if self.position < file.metadata()?.len() {
            return Ok(true);
        }
        (self.piece, self.position) = (Piece::Plain(durable::open(&path)?), 0);
        Ok(true)
    }
}
