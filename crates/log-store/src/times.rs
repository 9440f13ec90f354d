//! The times at which the bytes of a segment were written: a file with one record for each chunk after a pause.
//!
//! A record has 32 bytes, little-endian: the offset of the chunk, the time of day and the time since boot, both in
//! microseconds, the boot, and a checksum. It says that the byte at the offset was written at that time, and the one before
//! it earlier. There is at most one record in 10 ms, and one a second while little is
//! written. Bytes that are written more than a second after a record have a record of their own.
//!
//! The time since boot decides, so setting the clock back does not change the order. If the file is damaged, truncated or
//! missing, only the times are lost.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::time::{ClockId, clock_gettime};

use crate::check::check;

pub(crate) const RECORD: usize = 32;
/// The most bytes that are read of a file: a segment of 10 MiB can have 1.3 MiB of records.
const MAX_BYTES: u64 = 64 << 20;
/// Chunks with a shorter pause between them count as one, in microseconds.
const APART: u64 = 10_000;
/// Chunks with fewer bytes than this get at most one record in `A_WHILE` microseconds.
const LITTLE: u64 = 256;
const A_WHILE: u64 = 1_000_000;

/// Writes the times of one segment.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// The time since boot and the offset of the last record.
    last: Option<(u64, u64)>,
}

impl Times {
    /// Records the time for bytes that are about to be appended at `offset`. The times are in the file at `path`. Errors are ignored,
    /// because only the times are lost.
    pub(crate) fn note(&mut self, offset: u64, path: impl FnOnce() -> PathBuf) {
        let now = since_start();
        let is_due = self.last.is_none_or(|(then, at)| {
            let (time, bytes) = (now.saturating_sub(then), offset.saturating_sub(at));
            time >= APART && (bytes >= LITTLE || time >= A_WHILE)
        });
        if is_due && append(&path(), &record(offset, now)).is_ok() {
            self.last = Some((now, offset));
        }
    }

    /// The segment was truncated or replaced, so the recorded times do not apply any more.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.last = None;
        let _ = std::fs::remove_file(path);
    }
}

fn append(path: &Path, record: &[u8; RECORD]) -> io::Result<()> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    // An incomplete last record would shift all records after it.
    let rest = file.metadata()?.len() % RECORD as u64;
    if rest > 0 {
        file.set_len(file.metadata()?.len() - rest)?;
    }
    file.write_all(record)
}

fn record(offset: u64, since_start: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&offset.to_le_bytes());
    record[8..16].copy_from_slice(&micros(SystemTime::now()).to_le_bytes());
    record[16..24].copy_from_slice(&since_start.to_le_bytes());
    record[24..28].copy_from_slice(&boot().to_le_bytes());
    let sum = check(&record[..28]);
    record[28..].copy_from_slice(&sum.to_le_bytes());
    record
}

/// The records of a segment in the order of its bytes: offset, and time in microseconds since 1970.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Index(Vec<(u64, u64)>);

impl Index {
    /// Reads the records; empty if the file does not exist.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = durable::state(path, MAX_BYTES).unwrap_or_default();
        let mut index = Self::default();
        index.add(&bytes);
        index
    }

    /// Adds the records in these bytes, which follow the known ones.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let records: Vec<Parsed> = bytes.chunks_exact(RECORD).filter_map(Parsed::of).collect();
        self.add_records(&records, micros(SystemTime::now()).saturating_sub(since_start()));
    }

    /// Adds records. `started` is when this machine was booted, by the present clock. For an earlier boot, the last record of that boot
    /// gives it.
    fn add_records(&mut self, records: &[Parsed], started: u64) {
        let mut starts: Vec<(u32, u64)> = vec![(boot(), started)];
        for record in records.iter().rev() {
            if !starts.iter().any(|(boot, _)| *boot == record.boot) {
                starts.push((record.boot, record.real.saturating_sub(record.since_start)));
            }
        }
        let start = |boot| starts.iter().find(|start| start.0 == boot).map_or(0, |start| start.1);
        for record in records {
            // The segment was truncated, and this offset was written a second time.
            self.0.truncate(self.0.partition_point(|(offset, _)| *offset < record.offset));
            self.0.push((record.offset, start(record.boot).saturating_add(record.since_start)));
        }
    }

    /// When the byte at this offset was written, or up to a second later; `None` if no record covers it.
    pub(crate) fn time_of(&self, offset: u64) -> Option<SystemTime> {
        let earlier = self.0.partition_point(|(begin, _)| *begin <= offset);
        let (_, came) = self.0.get(earlier.checked_sub(1)?)?;
        Some(UNIX_EPOCH + Duration::from_micros(*came))
    }

    /// The offset after which bytes may have been written at that time or later; `None` if that is true of the whole
    /// segment.
    pub(crate) fn place_of(&self, time: SystemTime) -> Option<u64> {
        let time = micros(time);
        let earlier = self.0.partition_point(|(_, came)| came.saturating_add(A_WHILE) <= time);
        let (offset, came) = self.0.get(earlier).or(self.0.last())?;
        (earlier > 0 || *came <= time).then_some(*offset)
    }

    /// The offset after which all bytes were written later than that; `None` if that is known of no byte.
    pub(crate) fn first_after(&self, time: SystemTime) -> Option<u64> {
        let later = self.0.partition_point(|(_, came)| *came <= micros(time));
        self.0.get(later).map(|(offset, _)| *offset)
    }
}

#[derive(Clone, Copy, Debug)]
struct Parsed {
    offset: u64,
    real: u64,
    since_start: u64,
    boot: u32,
}

impl Parsed {
    fn of(record: &[u8]) -> Option<Self> {
        let (fields, sum) = record.split_last_chunk::<4>()?;
        let word = |at: usize| fields.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let (offset, real, since_start) = (word(0)?, word(8)?, word(16)?);
        let boot = u32::from_le_bytes(fields.get(24..28)?.try_into().ok()?);
        (check(fields) == u32::from_le_bytes(*sum)).then_some(Self { offset, real, since_start, boot })
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn since_start() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    let since = seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0));
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A number that identifies the current boot.
fn boot() -> u32 {
    static BOOT: OnceLock<u32> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = durable::state(Path::new("/proc/sys/kernel/random/boot_id"), 1 << 10);
        check(&id.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_time_is_found_whatever_was_done_to_the_file() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("stdout.17.0.times");
        let now = since_start();
        // The machine may have started a moment ago.
        let hour = (now / 4).min(3_600_000_000);
        let mut bytes = b"no record, of 32 bytes, at all..".to_vec();
        // Before the segment was truncated.
        bytes.extend(record(900, now - 3 * hour));
        for (offset, ago) in [(0, 2 * hour), (100, hour), (200, 0)] {
            bytes.extend(record(offset, now - ago));
        }
        bytes.extend([0; 7]);
        std::fs::write(&path, &bytes).expect("written");
        let at = |ago: u64| SystemTime::now() - Duration::from_micros(ago);
        let index = Index::read(&path);
        assert_eq!(index.place_of(at(4 * hour)), None);
        assert_eq!(index.place_of(at(2 * hour - 100_000)), Some(0));
        assert_eq!(
            index.place_of(at(hour + hour / 2)),
            Some(100),
            "what came more than a second later has a record"
        );
        assert_eq!(index.place_of(at(hour / 2)), Some(200));
        assert_eq!(index.place_of(SystemTime::now()), Some(200));
        assert_eq!(index.first_after(at(4 * hour)), Some(0));
        assert_eq!(index.first_after(at(hour + hour / 2)), Some(100));
        assert_eq!(index.first_after(at(hour / 2)), Some(200));
        assert_eq!(index.first_after(SystemTime::now()), None);
        let time = index.time_of(150).expect("a record is before it");
        assert!(time > at(hour + 1_000_000) && time < at(hour - 1_000_000), "{time:?}");
        assert_eq!(index.time_of(0), index.time_of(99));
        let mut times = Times::default();
        times.note(300, || path.clone());
        times.note(301, || path.clone());
        assert_eq!(
            Index::read(&path).0.len(),
            4,
            "what was cut off is written over, and a little is no chunk"
        );
        times.forget(&path);
        assert_eq!(Index::read(&path), Index::default());
    }

    #[test]
    fn a_clock_that_was_set_back_puts_no_byte_before_another_one() {
        let of = |offset, real, since_start, boot| Parsed { offset, real, since_start, boot };
        let records = [of(0, 5_000, 10, 1), of(5, 100, 20, 1), of(9, 9_000, 5, 2), of(12, 1, 8, boot())];
        let mut index = Index::default();
        index.add_records(&records, 20_000);
        assert_eq!(index.0, [(0, 90), (5, 100), (9, 9_000), (12, 20_008)]);
    }
}
