//! The times at which the lines of one segment arrived, also while it is still written: the file of times is read
//! further only when a time is asked for.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::times::{Index, RECORD};

/// The times of one segment, as far as they were read.
#[derive(Debug)]
pub(crate) struct LineTimes {
    path: PathBuf,
    index: Index,
    /// How many bytes of the file were read.
    read: u64,
    /// The offset of the segment up to which the index is known to be complete.
    known_to: u64,
}

impl LineTimes {
    /// The times of the segment whose times are in this file; nothing is read yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, index: Index::default(), read: 0, known_to: 0 }
    }

    /// When the byte at `offset` arrived. `end` is the offset up to which the segment has been read: the times of all bytes
    /// before `end` had been recorded by then, so the file is read again only for later bytes.
    pub(crate) fn time_of(&mut self, offset: u64, end: u64) -> Option<SystemTime> {
        if offset >= self.known_to {
            self.read_on();
            self.known_to = end;
        }
        self.index.time_of(offset)
    }

    /// Forgets all times, because the segment was truncated.
    pub(crate) fn forget(&mut self) {
        (self.index, self.read, self.known_to) = (Index::default(), 0, 0);
    }

    /// Reads records that were added. A file that cannot be read has no times.
    fn read_on(&mut self) {
        let Ok(file) = durable::open(&self.path) else { return };
        let length = file.metadata().map_or(0, |file| file.len());
        if length < self.read {
            (self.index, self.read) = (Index::default(), 0);
        }
        let added = records(&file, self.read, length);
        self.read += added.len() as u64;
        self.index.add(&added);
    }
}

/// The whole records between two offsets.
fn records(file: &File, from: u64, to: u64) -> Vec<u8> {
    let whole = (to - from) / RECORD as u64 * RECORD as u64;
    let mut bytes = vec![0; usize::try_from(whole).unwrap_or(0)];
    if file.read_exact_at(&mut bytes, from).is_err() {
        bytes.clear();
    }
    bytes
}
