//! Lines of a series that has many segments, while runs write into it and others change its files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use log_store::{Range, Reader, Segment, Series};
use tempfile::TempDir;

/// A series in a directory of its own.
struct Log {
    place: TempDir,
    series: Series,
}

impl Log {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let series = Series::new(place.path(), "stdout");
        Self { place, series }
    }

    /// Appends as a writer does.
    fn write(&self, run: u64, number: u32, text: &str) {
        append(&self.series.path(Segment { run, number }), text);
    }

    fn read(&self, tail: Option<usize>) -> Vec<String> {
        news(&mut self.follow(tail), true)
    }

    fn follow(&self, tail: Option<usize>) -> Reader {
        Reader::open(self.series.clone(), Range::last(tail)).expect("readable")
    }
}

fn append(path: &Path, text: &str) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.expect("a log").write_all(text.as_bytes()).expect("written");
}

/// The lines that a reader returns in one look, as `run:line`.
fn news(reader: &mut Reader, whole: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let handed = reader.hand_out(whole, &mut |line| {
        lines.push(format!("{}:{}", line.run, String::from_utf8_lossy(&line.bytes)));
        ControlFlow::Continue(())
    });
    assert!(handed.expect("readable").is_continue());
    lines
}

#[test]
fn a_series_is_read_in_the_order_of_runs_and_the_single_file_of_old_comes_first() {
    let log = Log::new();
    log.write(17, 1, "d\ne");
    log.write(0, 0, "a\n");
    log.write(17, 0, "b\nc");
    log.write(18, 0, "f\n");
    // Files that logrotate made of a segment do not belong to the series.
    append(&log.place.path().join("stdout.1"), "older\n");
    let all = ["0:a", "17:b", "17:cd", "17:e", "18:f"];
    assert_eq!(log.read(None), all);
    for lines in 0..=6 {
        assert_eq!(log.read(Some(lines)), all[all.len().saturating_sub(lines)..], "the last {lines}");
    }
}

#[test]
fn a_run_that_said_nothing_has_no_line_and_a_segment_that_was_just_begun_adds_none() {
    let log = Log::new();
    log.write(1, 0, "a\nb\n");
    log.write(1, 1, "");
    log.write(2, 0, "");
    assert_eq!(log.read(Some(1)), ["1:b"]);
    assert_eq!(log.read(Some(2)), ["1:a", "1:b"]);
    assert_eq!(Log::new().read(Some(5)), Vec::<String>::new());
}

#[test]
fn the_old_run_and_the_new_one_are_followed_side_by_side() {
    let log = Log::new();
    log.write(16, 0, "before\n");
    log.write(17, 0, "one\n");
    let mut reader = log.follow(Some(1));
    assert_eq!(news(&mut reader, false), ["17:one"]);
    log.write(18, 0, "hello\n");
    log.write(17, 0, "two\nthr");
    assert_eq!(news(&mut reader, false), ["17:two", "18:hello"]);
    log.write(18, 0, "world\n");
    log.write(17, 0, "ee\n");
    log.write(16, 0, "late\n");
    assert_eq!(news(&mut reader, false), ["16:late", "17:three", "18:world"]);
    log.write(18, 1, "next segment\n");
    assert_eq!(news(&mut reader, false), ["18:next segment"]);
}

#[test]
fn read_by_time_the_line_that_was_begun_first_comes_first() {
    let log = Log::new();
    log.write(16, 0, "before\n");
    log.write(17, 0, "thr");
    let mut reader = log.follow(None).by_time(true);
    assert_eq!(news(&mut reader, false), ["16:before"]);
    log.write(17, 0, "ee\n");
    log.write(16, 0, "late\n");
    assert_eq!(news(&mut reader, false), ["17:three", "16:late"]);
}

#[test]
fn nothing_but_what_comes_is_followed_from_the_end() {
    let log = Log::new();
    for run in [1, 2] {
        log.write(run, 0, "old\n");
    }
    let mut reader = log.follow(Some(0));
    assert_eq!(news(&mut reader, false), Vec::<String>::new());
    log.write(1, 0, "new\n");
    log.write(2, 0, "new\n");
    assert_eq!(news(&mut reader, false), ["1:new", "2:new"]);
}

#[test]
fn the_last_words_of_a_run_that_was_replaced_are_handed_out_though_no_newline_ends_them() {
    let log = Log::new();
    log.write(1, 0, "Killed");
    let mut reader = log.follow(None);
    for _ in 0..100 {
        assert_eq!(news(&mut reader, false), Vec::<String>::new(), "it may still go on");
    }
    log.write(2, 0, "hello\n");
    let mut lines = Vec::new();
    while lines.len() < 2 {
        lines.extend(news(&mut reader, false));
    }
    lines.sort();
    assert_eq!(lines, ["1:Killed", "2:hello"]);
}

#[test]
fn a_segment_that_is_cut_renamed_or_removed_is_followed_on() {
    let log = Log::new();
    let segment = log.series.path(Segment::first_of(3));
    log.write(3, 0, "one\ntwo\n");
    let mut reader = log.follow(None);
    assert_eq!(news(&mut reader, false), ["3:one", "3:two"]);
    OpenOptions::new().write(true).open(&segment).and_then(|log| log.set_len(0)).expect("cut");
    log.write(3, 0, "cut\n");
    assert_eq!(news(&mut reader, false), ["3:cut"]);
    log.write(3, 0, "last of the old file\n");
    fs::rename(&segment, log.place.path().join("stdout.3.0.1")).expect("renamed");
    log.write(3, 0, "first of the new file\n");
    assert_eq!(news(&mut reader, false), ["3:last of the old file", "3:first of the new file"]);
    fs::remove_file(&segment).expect("removed");
    log.write(4, 0, "later run\n");
    log.write(3, 1, "next segment\n");
    assert_eq!(news(&mut reader, false), ["3:next segment", "4:later run"]);
}

#[test]
fn a_thousand_runs_need_few_descriptors_and_every_line_of_theirs_comes_once() {
    let log = Log::new();
    let mut expected = Vec::new();
    for run in 1..=1000 {
        log.write(run, 0, &format!("line {run}"));
        expected.push(format!("{run}:line {run}"));
    }
    let mut reader = log.follow(None);
    let open = fs::read_dir("/proc/self/fd").expect("Linux").count();
    // For the newest runs the reader still waits for the ends of their lines.
    let mut lines = news(&mut reader, false);
    let opened = fs::read_dir("/proc/self/fd").expect("Linux").count().saturating_sub(open);
    // Other tests of this program open files at the same time.
    assert!(opened < 100, "{opened} descriptors");
    lines.extend(news(&mut reader, true));
    assert_eq!(lines, expected);
}

#[test]
fn a_long_line_comes_in_pieces_and_no_byte_is_lost() {
    let log = Log::new();
    let long = "x".repeat(3 << 20);
    log.write(1, 0, &format!("{long}\nshort\n"));
    let lines = log.read(None);
    let (last, pieces) = lines.split_last().expect("lines");
    assert_eq!(last, "1:short");
    assert_eq!(pieces.iter().map(|piece| piece.len() - 2).sum::<usize>(), long.len());
}

#[test]
fn what_is_no_file_is_an_error_and_does_not_hold_a_reader_up() {
    let log = Log::new();
    fs::create_dir(log.series.path(Segment::first_of(1))).expect("made");
    assert!(Reader::open(log.series.clone(), Range::last(Some(3))).is_err());
    let mut reader = log.follow(None);
    assert!(reader.hand_out(true, &mut |_| ControlFlow::Continue(())).is_err());
}
