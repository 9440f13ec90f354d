//! How many bytes of a run were dropped, in a small file. The file is made before the disk is full, and is written in
//! place, which needs no room. Bytes are recorded as "being dropped" first. If the writer is killed before it records the
//! result, those bytes are counted as in doubt, because nobody knows whether they were dropped.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;

use crate::check::check;
use crate::series::Series;

/// The content of the file: dropped, in doubt, being dropped, and a checksum; each of 8 bytes, little-endian.
const SIZE: usize = 32;

/// Counts of dropped bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Bytes that were dropped for certain.
    pub dropped: u64,
    /// Bytes that may have been dropped in addition: the writer was killed before it recorded the result.
    pub in_doubt: u64,
}

/// The file and its content.
#[derive(Debug)]
pub(crate) struct LostFile {
    series: Series,
    run: u64,
    lost: Lost,
    is_there: bool,
}

impl LostFile {
    /// Reads the file of a run. Bytes that an earlier writer was dropping when it was killed are in doubt from now on.
    pub(crate) fn open(series: &Series, run: u64) -> Self {
        let mut bytes = [0; SIZE];
        let path = series.lost_path(run);
        let read = durable::open(&path).ok().and_then(|file| file.read_exact_at(&mut bytes, 0).ok());
        let is_there = read.is_some();
        let [dropped, in_doubt, underway, sum] = words(&bytes);
        let mut lost = Lost::default();
        if is_there && sum == u64::from(check(&bytes[..SIZE - 8])) {
            lost = Lost { dropped, in_doubt: in_doubt.saturating_add(underway) };
        }
        Self { series: series.clone(), run, lost, is_there }
    }

    /// The file of a new run, which has dropped nothing. The file does not exist yet.
    pub(crate) fn nothing_yet(series: &Series, run: u64) -> Self {
        Self { series: series.clone(), run, lost: Lost::default(), is_there: false }
    }

    /// The counts so far.
    pub(crate) fn lost(&self) -> Lost {
        self.lost
    }

    /// Makes the file, while the disk has room for it.
    pub(crate) fn prepare(&mut self) {
        if !self.is_there {
            self.is_there = self.write(0).is_ok();
        }
    }

    /// Records that this many bytes are about to be dropped.
    pub(crate) fn begin(&mut self, bytes: u64) {
        // If the file cannot be written, the count is kept in memory only.
        self.is_there = self.write(bytes).is_ok();
    }

    /// Records that these bytes were dropped.
    pub(crate) fn end(&mut self, bytes: u64) {
        self.lost.dropped = self.lost.dropped.saturating_add(bytes);
        self.is_there = self.write(0).is_ok();
    }

    /// Records that this number of bytes may have been lost.
    pub(crate) fn doubt(&mut self, bytes: u64) {
        self.lost.in_doubt = self.lost.in_doubt.saturating_add(bytes);
        self.is_there = self.write(0).is_ok();
    }

    fn write(&self, underway: u64) -> io::Result<()> {
        let file = self.open_to_write()?;
        let mut bytes = [0; SIZE];
        for (place, word) in bytes.chunks_exact_mut(8).zip([self.lost.dropped, self.lost.in_doubt, underway])
        {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let sum = u64::from(check(&bytes[..SIZE - 8]));
        bytes[SIZE - 8..].copy_from_slice(&sum.to_le_bytes());
        file.write_all_at(&bytes, 0)
    }

    fn open_to_write(&self) -> io::Result<File> {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        options.open(self.series.lost_path(self.run))
    }
}

fn words(bytes: &[u8; SIZE]) -> [u64; SIZE / 8] {
    std::array::from_fn(|index| u64::from_le_bytes(std::array::from_fn(|byte| bytes[index * 8 + byte])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_known_to_the_next_writer_and_what_was_underway_is_in_doubt() {
        let place = tempfile::tempdir().expect("a directory");
        let series = Series::new(place.path(), "stdout");
        let open = || LostFile::open(&series, 17);
        let mut file = open();
        file.prepare();
        assert_eq!(file.lost(), Lost::default());
        file.begin(100);
        file.end(70);
        assert_eq!(open().lost(), Lost { dropped: 70, in_doubt: 0 });
        file.begin(5);
        let mut next = open();
        assert_eq!(next.lost(), Lost { dropped: 70, in_doubt: 5 });
        next.begin(1);
        next.end(1);
        assert_eq!(open().lost(), Lost { dropped: 71, in_doubt: 5 });
        std::fs::write(series.lost_path(17), [7; SIZE]).expect("written");
        assert_eq!(open().lost(), Lost::default());
    }
}
