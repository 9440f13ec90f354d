//! How many bytes are read of a log that was rotated and compressed, if only its end is wanted.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, SystemTime};

use log_store::{Capture, Limits, Range, Reader, Series, tidy, writing_end};

const SEGMENT: u64 = 1 << 20;
const SEGMENTS: u64 = 12;
/// The capacity of a pipe, in bytes.
const PIPEFUL: usize = 64 << 10;
/// Times are known to the second.
const A_SECOND: Duration = Duration::from_millis(1_200);

/// How many bytes this thread has read so far.
fn read_so_far() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").expect("Linux counts what is read");
    let number = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("it is counted");
    number.parse().expect("a number")
}

#[test]
fn of_many_segments_the_last_minute_is_read_without_those_before_it() {
    let place = tempfile::tempdir().expect("a directory");
    let series = Series::new(&place.path().join("log"), "stdout");
    let fifo = place.path().join("fifo");
    let limits = Limits { size: SEGMENT, files: usize::MAX, ..Limits::default() };
    let mut capture = Capture::open(&fifo, &series, 7, limits).expect("it opens");
    let mut end = File::from(writing_end(&fifo).expect("it opens"));
    let line = format!("{}\n", "0123456789abcde ".repeat(8));
    let pipeful = line.repeat(PIPEFUL / line.len());
    let (mut written, mut number) = (0, 0);
    while written < SEGMENT * SEGMENTS {
        end.write_all(pipeful.as_bytes()).expect("there is room");
        capture.drain();
        written += pipeful.len() as u64;
    }
    tidy(&series, &limits).expect("it can be done");
    let segments = series.segments().expect("readable");
    let packed = segments.iter().filter(|segment| series.packed_path(**segment).exists()).count();
    assert!(packed as u64 >= SEGMENTS - 1, "{packed}");

    // The lines before this pause are older than the wanted ones.
    thread::sleep(A_SECOND);
    let since = SystemTime::now();
    for _ in 0..100 {
        writeln!(end, "wanted {number}").expect("there is room");
        capture.drain();
        number += 1;
    }
    let before = read_so_far();
    let range = Range { since: Some(since), ..Range::default() };
    let mut reader = Reader::open(series, range).expect("readable");
    let mut lines = Vec::new();
    let handed = reader.hand_out(true, &mut |line| {
        lines.push(String::from_utf8_lossy(&line.bytes).into_owned());
        ControlFlow::Continue(())
    });
    assert!(handed.expect("readable").is_continue());
    let read = read_so_far() - before;
    assert!(lines.iter().filter(|line| line.starts_with("wanted")).count() == 100, "{lines:?}");
    assert!(read < 64 << 10, "{read} bytes were read of {written}");
}
