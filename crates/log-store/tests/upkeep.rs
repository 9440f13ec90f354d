//! Logs are rotated and emptied on request, while a process writes and a reader follows.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use log_store::{Capture, Limits, Range, Reader, Segment, Series, Upkeep, tidy, writing_end};
use tempfile::TempDir;

struct Log {
    place: TempDir,
    series: Series,
}

impl Log {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let series = Series::new(&place.path().join("log"), "stdout");
        Self { place, series }
    }

    fn writer(&self, run: u64) -> Writer {
        let fifo = self.place.path().join(format!("{run}.fifo"));
        let limits = Limits { size: u64::MAX, files: usize::MAX, ..Limits::default() };
        let capture = Capture::open(&fifo, &self.series, run, limits).expect("it opens");
        let end = writing_end(&fifo).expect("it opens").into();
        Writer { capture, end, fifo }
    }

    fn segments(&self) -> Vec<Segment> {
        self.series.segments().expect("readable")
    }

    fn reader(&self) -> Reader {
        Reader::open(self.series.clone(), Range::default()).expect("readable")
    }
}

struct Writer {
    capture: Capture,
    end: File,
    fifo: PathBuf,
}

impl Writer {
    /// Writes into the FIFO; no byte is captured yet.
    fn write(&mut self, text: &str) {
        self.end.write_all(text.as_bytes()).expect("there is room");
    }

    fn wrote(&mut self, text: &str) {
        self.write(text);
        self.capture.drain();
    }
}

fn upkeep(log: &Log, what: Upkeep, writers: &mut [&mut Writer]) -> u64 {
    let mut captures: Vec<&mut Capture> = writers.iter_mut().map(|writer| &mut writer.capture).collect();
    what.carry_out(&log.series, &mut captures).expect("it can be done")
}

fn news(reader: &mut Reader) -> Vec<String> {
    let mut lines = Vec::new();
    let handed = reader.hand_out(false, &mut |line| {
        lines.push(String::from_utf8(line.bytes).expect("it was written as text"));
        ControlFlow::Continue(())
    });
    assert!(handed.expect("readable").is_continue());
    lines
}

#[test]
fn a_log_that_is_rotated_in_the_middle_of_a_line_goes_on_and_nothing_is_lost() {
    let log = Log::new();
    let mut writer = log.writer(7);
    let mut follower = log.reader();
    writer.wrote("one\ntw");
    assert_eq!(news(&mut follower), ["one"]);
    // Bytes that are still in the pipe go to the old segment.
    writer.write("o\nthr");
    assert_eq!(upkeep(&log, Upkeep::Rotate, &mut [&mut writer]), 11);
    assert_eq!(upkeep(&log, Upkeep::Rotate, &mut [&mut writer]), 0, "nothing was written since");
    assert_eq!(log.segments().len(), 2);
    writer.wrote("ee\nfour\n");
    assert_eq!(upkeep(&log, Upkeep::Rotate, &mut [&mut writer]), 8);
    assert_eq!(news(&mut follower), ["two", "three", "four"]);
    assert_eq!(news(&mut log.reader()), ["one", "two", "three", "four"]);
}

#[test]
fn after_a_flush_only_what_is_written_later_is_there_and_a_follower_goes_on() {
    let log = Log::new();
    // An earlier run with a compressed segment, and two runs at the same time.
    let mut earlier = log.writer(5);
    earlier.wrote(&"earlier\n".repeat(1000));
    upkeep(&log, Upkeep::Rotate, &mut [&mut earlier]);
    drop(earlier);
    let (mut old, mut new) = (log.writer(7), log.writer(8));
    old.wrote("old\n");
    new.wrote("new\n");
    tidy(&log.series, &Limits::default()).expect("it can be done");
    assert!(log.series.packed_path(Segment::first_of(5)).exists());
    let mut follower = log.reader();
    assert_eq!(news(&mut follower).len(), 1002);

    old.wrote("unread ");
    new.write("in the pipe\n");
    assert_eq!(upkeep(&log, Upkeep::Flush, &mut [&mut old, &mut new]), 8000 + 4 + 4 + 7 + 12);
    assert_eq!(log.segments(), [Segment { run: 7, number: 1 }, Segment { run: 8, number: 1 }]);
    assert_eq!(news(&mut log.reader()), [""; 0]);
    let names = fs::read_dir(log.place.path().join("log")).expect("readable").flatten();
    let mut left: Vec<_> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    left.sort();
    // The counts of lost bytes of running writers stay, and no other file.
    assert_eq!(left, [".stdout.7.lost", ".stdout.8.lost", "stdout.7.1", "stdout.8.1"]);

    old.wrote("later\n");
    new.wrote("later too\n");
    assert_eq!(news(&mut log.reader()), ["later", "later too"]);
    let told = news(&mut follower);
    assert!(
        told.ends_with(&["later too".to_owned()]) && told.iter().any(|line| line.ends_with("later")),
        "{told:?}"
    );
    assert_eq!(upkeep(&log, Upkeep::Flush, &mut [&mut old, &mut new]), 16);
}

#[test]
fn logs_that_nobody_writes_to_are_rotated_and_emptied_too() {
    let log = Log::new();
    assert_eq!(upkeep(&log, Upkeep::Rotate, &mut []), 0, "there is none yet");
    assert_eq!(upkeep(&log, Upkeep::Flush, &mut []), 0);
    let mut writer = log.writer(7);
    writer.wrote("one\n");
    drop(writer);
    assert_eq!(upkeep(&log, Upkeep::Rotate, &mut []), 4);
    assert_eq!(upkeep(&log, Upkeep::Rotate, &mut []), 0);
    // The next writer of that run finds the new segment.
    let mut next = log.writer(7);
    next.wrote("two\n");
    assert_eq!(next.capture.place().segment, Segment { run: 7, number: 1 });
    assert_eq!(news(&mut log.reader()), ["one", "two"]);
    drop(next);
    assert_eq!(upkeep(&log, Upkeep::Flush, &mut []), 8);
    assert_eq!(log.segments(), []);
}

#[test]
fn a_segment_that_cannot_be_followed_by_another_is_emptied_in_its_place() {
    let log = Log::new();
    let mut writer = log.writer(7);
    writer.wrote("one\n");
    let mut follower = log.reader();
    assert_eq!(news(&mut follower), ["one"]);
    // A directory has the name of the next segment.
    fs::create_dir(log.series.path(Segment { run: 7, number: 1 })).expect("made");
    let rotated = Upkeep::Rotate.carry_out(&log.series, &mut [&mut writer.capture]);
    rotated.expect_err("there is no place for the next segment");
    let flushed = Upkeep::Flush.carry_out(&log.series, &mut [&mut writer.capture]);
    flushed.expect_err("that what lies there cannot be removed is said");
    writer.wrote("two\n");
    let path = log.series.path(Segment::first_of(7));
    assert_eq!(fs::read(path).expect("it is there"), b"two\n");
    assert!(writer.fifo.exists());
}
