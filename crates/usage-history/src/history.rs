//! The CPU and memory use of instances during the last 24 hours: one sample a minute, in one file of fixed size that is written in place. Even if the
//! file was damaged, reading it gives samples or none, and never fails.
//!
//! The file begins with a table of the instances. Then there is a frame for each minute of a day: the number of the
//! minute, which distinguishes it from an earlier day's frame, and a sample of each instance at the place that the
//! instance has in the table.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::point::{Point, Sample};
use crate::slope::{GROWTH_MINUTES, steady};

/// How many instances fit into the file. Further ones are not recorded.
const INSTANCES: usize = 4096;
/// The room for the name of an instance in bytes, of which one is the length.
const NAME: usize = 200;
/// How many minutes are kept.
pub const DAY: u64 = 24 * 60;
/// The size of a sample in bytes: CPU in tenths of a percent and memory in KiB, 4 bytes each. A value of all ones means unknown.
const SAMPLE: usize = 8;
const NONE: u32 = u32::MAX;
const HEADER: &[u8; 16] = b"formation-web 1\n";
const STAMP: usize = 8;
const FRAME: usize = STAMP + INSTANCES * SAMPLE;
const TABLE: usize = HEADER.len();
const FRAMES: usize = TABLE + INSTANCES * NAME;

/// The file.
#[derive(Debug)]
pub struct History {
    file: File,
    /// The place of each instance, `shop/web.1`.
    places: BTreeMap<String, usize>,
    /// The owner of each place.
    owners: Vec<Option<String>>,
    /// When each place was last written to.
    written: Vec<u64>,
}

impl History {
    /// Opens the file for writing, or makes it. A file of another kind is overwritten.
    ///
    /// # Errors
    /// Another program has opened it for writing, it cannot be opened, or the disk has no room for it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // Two programs would give the same place to two instances.
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::other("another program writes it"),
            error => error.into(),
        })?;
        let mut header = [0; HEADER.len()];
        let size = u64::try_from(FRAMES).unwrap_or(u64::MAX) + DAY * u64::try_from(FRAME).unwrap_or(u64::MAX);
        if file.read_exact_at(&mut header, 0).is_err() || header != *HEADER || file.metadata()?.len() != size
        {
            file.set_len(0)?;
            file.set_len(size)?;
            file.write_all_at(HEADER, 0)?;
        }
        Self::of(file)
    }

    /// Opens the file for reading, while another program may write to it: the file is not locked, and `write` fails.
    ///
    /// # Errors
    /// The file does not exist, cannot be read, or is not a history.
    pub fn look(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut header = [0; HEADER.len()];
        file.read_exact_at(&mut header, 0)?;
        if header == *HEADER {
            Self::of(file)
        } else {
            Err(io::Error::other("the file is not a history of usage"))
        }
    }

    fn of(file: File) -> io::Result<Self> {
        let mut table = vec![0; INSTANCES * NAME];
        file.read_exact_at(&mut table, offset(TABLE))?;
        let name = |entry: &[u8]| {
            let length = usize::from(*entry.first()?);
            let name = entry.get(1..=length).filter(|name| !name.is_empty())?;
            String::from_utf8(name.to_vec()).ok()
        };
        let owners: Vec<Option<String>> = table.chunks(NAME).map(name).collect();
        let named = owners.iter().enumerate().filter_map(|(place, owner)| Some((owner.clone()?, place)));
        Ok(Self { file, places: named.collect(), owners, written: vec![0; INSTANCES] })
    }

    /// Writes the samples of a minute. If another program has written samples of the same minute before, those of instances without a new sample
    /// stay. The names are those of instances.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, minute: u64, samples: &BTreeMap<String, Sample>) -> io::Result<()> {
        let mut frame = vec![0; FRAME];
        self.file.read_exact_at(&mut frame, frame_at(minute))?;
        if frame[..STAMP] != minute.to_le_bytes() {
            frame.fill(0xff);
            frame[..STAMP].copy_from_slice(&minute.to_le_bytes());
        }
        for (name, sample) in samples {
            let Some(place) = self.place(name, minute)? else { continue };
            self.written[place] = minute;
            let at = STAMP + place * SAMPLE;
            for (at, value) in [(at, sample.cpu), (at + 4, sample.memory_kib)] {
                if let Some(value) = value {
                    frame[at..at + 4].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        self.file.write_all_at(&frame, frame_at(minute))
    }

    /// The place of an instance; a new instance gets a free one, or one whose instance had no sample for a day.
    fn place(&mut self, name: &str, minute: u64) -> io::Result<Option<usize>> {
        if let Some(place) = self.places.get(name) {
            return Ok(Some(*place));
        }
        let Some(length) = u8::try_from(name.len()).ok().filter(|length| usize::from(*length) < NAME) else {
            return Ok(None);
        };
        let is_old = |written: &u64| written + DAY < minute;
        let free = self.owners.iter().position(Option::is_none);
        let Some(place) = free.or_else(|| self.written.iter().position(is_old)) else { return Ok(None) };
        if let Some(former) = self.owners[place].replace(name.to_owned()) {
            self.places.remove(&former);
        }
        let mut entry = vec![0; NAME];
        entry[0] = length;
        entry[1..=name.len()].copy_from_slice(name.as_bytes());
        self.file.write_all_at(&entry, offset(TABLE + place * NAME))?;
        self.places.insert(name.to_owned(), place);
        Ok(Some(place))
    }

    /// The measurements of an instance in the given number of minutes until `now`, at most a day, the oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, name: &str, now: u64, minutes: u64) -> io::Result<Vec<Point>> {
        let Some(place) = self.places.get(name) else { return Ok(Vec::new()) };
        let mut points = Vec::new();
        for minute in now.saturating_sub(minutes.clamp(1, DAY) - 1)..=now {
            let (mut stamp, mut sample) = ([0; STAMP], [0; SAMPLE]);
            self.file.read_exact_at(&mut stamp, frame_at(minute))?;
            if is_of(&stamp, minute) {
                self.file.read_exact_at(&mut sample, frame_at(minute) + offset(STAMP + place * SAMPLE))?;
                points.extend(point(minute, &sample));
            }
        }
        Ok(points)
    }

    /// The instances whose memory grows steadily until the minute `now`, with the bytes of an hour, in the order of their names.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn growing(&self, now: u64) -> io::Result<Vec<(String, u64)>> {
        let mut points: Vec<Vec<Point>> = self.owners.iter().map(|_| Vec::new()).collect();
        // Each frame is read once for all instances, of which there may be thousands.
        let mut frame = vec![0; FRAME];
        for minute in now.saturating_sub(GROWTH_MINUTES - 1)..=now {
            self.file.read_exact_at(&mut frame[..STAMP], frame_at(minute))?;
            if !is_of(&frame, minute) {
                continue;
            }
            self.file.read_exact_at(&mut frame, frame_at(minute))?;
            for (points, sample) in points.iter_mut().zip(frame[STAMP..].chunks(SAMPLE)) {
                points.extend(point(minute, sample));
            }
        }
        let growing = |(name, place): (&String, &usize)| Some((name.clone(), steady(&points[*place], now)?));
        Ok(self.places.iter().filter_map(growing).collect())
    }
}

/// Whether a frame belongs to this minute, and not to an earlier day. A frame that was never written is all zeroes.
fn is_of(frame: &[u8], minute: u64) -> bool {
    minute != 0 && frame.starts_with(&minute.to_le_bytes())
}

/// A sample of the file; `None` if the instance did not exist, or nothing was measured.
fn point(minute: u64, sample: &[u8]) -> Option<Point> {
    let known =
        |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?)).filter(|number| *number != NONE);
    let (cpu, memory) = sample.split_at_checked(SAMPLE / 2)?;
    let (cpu, memory) = (known(cpu), known(memory));
    (cpu.is_some() || memory.is_some()).then(|| Point {
        minute,
        cpu_percent: cpu.map(|tenths| f64::from(tenths) / 10.0),
        memory_bytes: memory.map(|kib| u64::from(kib) << 10),
    })
}

fn offset(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("the file is small")
}

fn frame_at(minute: u64) -> u64 {
    offset(FRAMES) + (minute % DAY) * offset(FRAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(memory_kib: u32) -> BTreeMap<String, Sample> {
        [("shop/web.1".to_owned(), Sample { cpu: Some(15), memory_kib: Some(memory_kib) })].into()
    }

    fn memory(history: &History, now: u64) -> Vec<(u64, Option<u64>)> {
        let points = history.read("shop/web.1", now, DAY).expect("it can be read");
        points.iter().map(|point| (point.minute, point.memory_bytes)).collect()
    }

    #[test]
    fn a_day_is_kept_across_an_end_and_no_more() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        let mut history = History::open(&path).expect("a file");
        let size = path.metadata().expect("it is there").len();
        for minute in [1000, 1001, 1003] {
            history.write(minute, &sample(8)).expect("written");
        }
        assert!(History::open(&path).is_err(), "another one keeps it");
        drop(history);
        let history = History::open(&path).expect("the same file");
        assert_eq!(memory(&history, 1003), [1000, 1001, 1003].map(|minute| (minute, Some(8192))));
        assert_eq!(history.read("shop/web.1", 1003, DAY).expect("read")[0].cpu_percent, Some(1.5));
        // A day later the first sample is gone, and the next one takes its frame.
        let mut history = history;
        history.write(1000 + DAY, &sample(9)).expect("written");
        let wanted = [(1001, Some(8192)), (1003, Some(8192)), (1000 + DAY, Some(9216))];
        assert_eq!(memory(&history, 1000 + DAY), wanted);
        assert_eq!(memory(&history, 1), []);
        assert_eq!(history.read("other/web.1", 1003, DAY).expect("read"), []);
        assert_eq!(path.metadata().expect("it is there").len(), size);
    }

    #[test]
    fn what_was_known_of_a_minute_stays_for_an_instance_that_is_gone_when_another_one_goes_on_with_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        History::open(&path).expect("a file").write(7, &sample(8)).expect("written");
        let mut history = History::open(&path).expect("the same file");
        let other = [("blog/web.1".to_owned(), Sample { cpu: None, memory_kib: Some(1) })].into();
        history.write(7, &other).expect("written");
        assert_eq!(memory(&history, 7), [(7, Some(8192))]);
        assert_eq!(history.read("blog/web.1", 7, DAY).expect("read")[0].cpu_percent, None);
        history.write(7 + DAY, &other).expect("written");
        assert_eq!(memory(&history, 7 + DAY), [], "the frame of another day is not gone on with");
    }

    #[test]
    fn what_is_no_history_is_begun_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        for bytes in [&b""[..], b"x", &[0xff; 4096], HEADER] {
            std::fs::write(&path, bytes).expect("a file");
            let mut history = History::open(&path).expect("a file");
            assert_eq!(memory(&history, 5), []);
            history.write(5, &sample(1)).expect("written");
            assert_eq!(memory(&history, 5), [(5, Some(1024))]);
        }
    }

    #[test]
    fn a_place_is_given_again_after_a_day_and_not_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut history = History::open(&directory.path().join("usage")).expect("a file");
        let one = Sample { cpu: None, memory_kib: Some(1) };
        let all: BTreeMap<String, Sample> =
            (0..INSTANCES).map(|number| (format!("app{number}/web.1"), one)).collect();
        history.write(10_000, &all).expect("written");
        history.write(10_001, &sample(1)).expect("written");
        assert_eq!(memory(&history, 10_001), [], "there is no room");
        history.write(10_001 + DAY, &sample(1)).expect("written");
        assert_eq!(memory(&history, 10_001 + DAY), [(10_001 + DAY, Some(1024))]);
        assert_eq!(history.places.len(), INSTANCES);
    }

    #[test]
    fn who_only_looks_disturbs_nobody_and_sees_the_memory_that_grows() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        assert!(History::look(&path).is_err() && !path.exists());
        let mut history = History::open(&path).expect("a file");
        let one = |memory_kib| Sample { cpu: None, memory_kib: Some(memory_kib) };
        for minute in 2_000..2_200_u32 {
            let samples = [
                ("shop/web.1".to_owned(), one((minute - 1_900) * 1024)),
                ("shop/web.2".to_owned(), one(100_000)),
                ("shop/worker.1".to_owned(), one(5_000 + (minute - 1_900) * 512)),
            ];
            history.write(minute.into(), &samples.into()).expect("written");
        }
        let looking = History::look(&path).expect("it is there");
        let growing = [("shop/web.1".to_owned(), 60 << 20), ("shop/worker.1".to_owned(), 30 << 20)];
        assert_eq!(looking.growing(2_199).expect("read"), growing);
        assert_eq!(looking.growing(2_400).expect("read"), [], "it was not written any more");
        history.write(2_200, &sample(1)).expect("whoever looks has locked nothing");
        std::fs::write(directory.path().join("other"), [0; 100]).expect("a file");
        assert!(History::look(&directory.path().join("other")).is_err());
    }
}
