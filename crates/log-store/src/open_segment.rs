//! A segment that is being read. Somebody may cut it or rename it meanwhile: what was read of it stays read, and what comes
//! in the file that has its name then is read next.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use durable::ReadError;

/// An open segment, and how far it was read.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    path: PathBuf,
    file: File,
}

impl OpenSegment {
    /// The segment of that path, read from `position` on; `None` if there is none.
    pub(crate) fn open(path: PathBuf, position: u64) -> io::Result<Option<Self>> {
        let mut file = match durable::open(&path) {
            Ok(file) => file,
            Err(ReadError::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        file.seek(SeekFrom::Start(position))?;
        Ok(Some(Self { path, file }))
    }

    /// Reads on; 0 at the end of the file.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }

    /// At the end of the file: goes on in the one that has its name now, or at the beginning if it was cut. Whether there
    /// is more to read.
    pub(crate) fn goes_on(&mut self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        if self.file.stream_position()? > ours.len() {
            self.file.rewind()?;
            return Ok(true);
        }
        // One that was renamed or removed has no successor before something is written.
        let named = fs::metadata(&self.path).ok().filter(fs::Metadata::is_file);
        if named.is_none_or(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(false);
        }
        // What was written between our last look and the rename is still in the old one.
        if self.file.stream_position()? < self.file.metadata()?.len() {
            return Ok(true);
        }
        self.file = durable::open(&self.path)?;
        Ok(true)
    }
}
