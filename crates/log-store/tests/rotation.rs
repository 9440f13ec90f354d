//! A series stays within its limits, and keeps what was written, whatever is rotated, compressed, read and killed
//! meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use log_store::{Capture, Limits, Range, Reader, Segment, Series, tidy, writing_end};
use proptest::prelude::*;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// A directory with a series.
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

    fn fifo(&self, run: u64) -> PathBuf {
        self.place.path().join(format!("{run}.fifo"))
    }

    fn capture(&self, run: u64, limits: Limits) -> Capture {
        Capture::open(&self.fifo(run), &self.series, run, limits).expect("it opens")
    }

    /// All kept bytes of a run, read by other programs than those of this project.
    fn bytes(&self, run: u64) -> Vec<u8> {
        let segments = self.series.segments().expect("readable").into_iter();
        segments.filter(|segment| segment.run == run).flat_map(|segment| self.bytes_of(segment)).collect()
    }

    fn bytes_of(&self, segment: Segment) -> Vec<u8> {
        fs::read(self.series.path(segment)).unwrap_or_else(|_| {
            let zcat =
                Command::new("zcat").arg(self.series.packed_path(segment)).output().expect("zcat runs");
            assert!(zcat.status.success(), "{zcat:?}");
            zcat.stdout
        })
    }

    fn lines(&self, tail: Option<usize>) -> Vec<String> {
        news(&mut Reader::open(self.series.clone(), Range::last(tail)).expect("readable"))
    }

    fn length(&self) -> usize {
        self.lines(None).iter().map(|line| line.len() + 1).sum()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.place.path().join("log")).expect("readable").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn news(reader: &mut Reader) -> Vec<String> {
    let mut lines = Vec::new();
    let handed = reader.hand_out(true, &mut |line| {
        lines.push(String::from_utf8(line.bytes).expect("it was written as text"));
        ControlFlow::Continue(())
    });
    assert!(handed.expect("readable").is_continue());
    lines
}

/// A limit of the size of segments that keeps all segments.
fn keeping(size: u64) -> Limits {
    Limits { size, files: usize::MAX, ..Limits::default() }
}

/// Puts bytes through the FIFO, as a process and its logger do.
fn pass(capture: &mut Capture, fifo: &Path, mut bytes: &[u8]) {
    let mut end = File::from(writing_end(fifo).expect("it is there"));
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(bytes.len().min(50_000));
        end.write_all(now).expect("there is room");
        while capture.move_bytes().expect("there is room").bytes > 0 {}
        bytes = later;
    }
}

fn numbered(count: usize) -> String {
    (0..count).fold(String::new(), |text, number| text + &format!("{number:07}\n"))
}

#[test]
fn a_segment_is_never_larger_than_its_limit_and_ends_with_a_line_where_it_can() {
    let log = Log::new();
    let mut capture = log.capture(17, keeping(100_000));
    let text = numbered(100_000);
    for piece in text.as_bytes().chunks(800) {
        pass(&mut capture, &log.fifo(17), piece);
    }
    assert!(log.bytes(17) == text.as_bytes());
    let segments = log.series.segments().expect("readable");
    assert!((8..=9).contains(&segments.len()), "{segments:?}");
    for segment in segments {
        let bytes = log.bytes_of(segment);
        assert!(bytes.len() <= 100_000 && bytes.ends_with(b"\n"), "{segment:?}: {} bytes", bytes.len());
    }
    // A line without an end is cut at the limit.
    pass(&mut capture, &log.fifo(17), &vec![b'x'; 1_000_000]);
    let sizes: Vec<usize> =
        log.series.segments().expect("readable").into_iter().map(|it| log.bytes_of(it).len()).collect();
    assert!(sizes.iter().all(|size| *size <= 100_000), "{sizes:?}");
}

#[test]
fn a_run_that_begins_goes_on_behind_what_was_left_under_its_number_all_the_same() {
    let log = Log::new();
    let begin = || Capture::begin(&log.fifo(17), &log.series, 17, keeping(1 << 20)).expect("it opens");
    let place = |capture: Capture| (capture.place().segment.number, capture.place().offset);
    let mut capture = begin();
    pass(&mut capture, &log.fifo(17), b"first\n");
    assert_eq!((capture.place().segment.number, log.bytes(17)), (0, b"first\n".to_vec()));
    drop(capture);
    assert_eq!(place(begin()), (0, 6), "it is there");
    let first = Segment::first_of(17);
    fs::rename(log.series.path(first), log.series.packed_path(first)).expect("renamed");
    assert_eq!(place(begin()), (1, 0), "it is compressed");
}

#[test]
fn the_oldest_segments_go_and_those_of_other_writers_stay() {
    let log = Log::new();
    let limits = Limits { size: 1000, files: 4, ..Limits::default() };
    let mut leaving = log.capture(16, limits);
    pass(&mut leaving, &log.fifo(16), b"still here\n");
    let mut capture = log.capture(17, limits);
    pass(&mut capture, &log.fifo(17), numbered(5000).as_bytes());
    let segments = log.series.segments().expect("readable");
    assert_eq!(segments.len(), 4, "{segments:?}");
    assert_eq!(segments[0], Segment::first_of(16), "somebody writes to it");
    assert!(numbered(5000).as_bytes().ends_with(&log.bytes(17)));
    drop(leaving);
    pass(&mut capture, &log.fifo(17), numbered(500).as_bytes());
    assert!(log.series.segments().expect("readable").iter().all(|segment| segment.run == 17));
    // The other files of these runs are removed, too.
    assert!(!log.names().iter().any(|name| name.contains("16")), "{:?}", log.names());
    assert!(log.names().len() <= 4 + 4 + 1, "{:?}", log.names());
}

#[test]
fn a_child_that_has_the_log_open_does_not_keep_a_segment_that_its_parent_closed() {
    let log = Log::new();
    let limits = Limits { size: 1000, files: 2, ..Limits::default() };
    let mut leaving = log.capture(16, limits);
    pass(&mut leaving, &log.fifo(16), b"no longer written to\n");
    // The copies are those that a child has between fork and exec, before the files are closed.
    let of_child = leaving.descriptors().map(|file| file.try_clone_to_owned().expect("duplicated"));
    drop(leaving);
    pass(&mut log.capture(17, limits), &log.fifo(17), numbered(500).as_bytes());
    assert!(log.series.segments().expect("readable").iter().all(|segment| segment.run == 17));
    drop(of_child);
}

#[test]
fn what_is_too_old_goes_and_what_is_written_to_for_long_is_followed_by_the_next() {
    let log = Log::new();
    let limits = Limits { age: Duration::from_secs(3600), ..Limits::default() };
    let mut capture = log.capture(1, limits);
    pass(&mut capture, &log.fifo(1), b"one\n");
    drop(capture);
    let mut capture = log.capture(2, limits);
    pass(&mut capture, &log.fifo(2), b"two\n");
    tidy(&log.series, &limits).expect("readable");
    assert_eq!(log.lines(None), ["one", "two"]);
    let old = SystemTime::now() - Duration::from_secs(4000);
    let first = File::options().write(true).open(log.series.path(Segment::first_of(1))).expect("there");
    first.set_modified(old).expect("it is ours");
    tidy(&log.series, &limits).expect("readable");
    assert_eq!(log.lines(None), ["two"]);
    capture.limit(Limits { age: Duration::ZERO, ..limits });
    pass(&mut capture, &log.fifo(2), b"three\n");
    assert_eq!(log.series.segments().expect("readable").last().map(|it| it.number), Some(1));
}

#[test]
fn a_segment_that_is_compressed_is_read_as_before_and_by_zcat() {
    let log = Log::new();
    let mut capture = log.capture(17, keeping(3 << 20));
    let text = numbered(1_000_000);
    pass(&mut capture, &log.fifo(17), text.as_bytes());
    let mut follower = Reader::open(log.series.clone(), Range::last(Some(0))).expect("readable");
    tidy(&log.series, &keeping(3 << 20)).expect("readable");
    let packed = log.names().iter().filter(|name| name.contains(".gz")).count();
    assert_eq!(packed, log.series.segments().expect("readable").len() - 1, "{:?}", log.names());
    assert!(log.bytes(17) == text.as_bytes());
    let all: Vec<&str> = text.lines().collect();
    assert!(log.lines(None) == all);
    assert!(log.lines(Some(600_000)) == all[400_000..]);
    assert_eq!(news(&mut follower), Vec::<String>::new());
    pass(&mut capture, &log.fifo(17), b"new\n");
    assert_eq!(news(&mut follower), ["new"]);
    // The next writer goes on in the same segment.
    drop(capture);
    let place = log.capture(17, keeping(3 << 20)).place();
    assert_eq!(Some(place.segment), log.series.segments().expect("readable").last().copied());
}

#[test]
fn what_gzip_compressed_is_read_as_well() {
    let log = Log::new();
    let mut capture = log.capture(3, keeping(1 << 20));
    pass(&mut capture, &log.fifo(3), numbered(200_000).as_bytes());
    let gzip = Command::new("gzip").arg(log.series.path(Segment::first_of(3))).status().expect("gzip runs");
    assert!(gzip.success());
    assert!(log.lines(None).join("\n") + "\n" == numbered(200_000));
    assert_eq!(log.lines(Some(199_000))[0], "0001000");
}

#[test]
fn a_writer_that_comes_while_its_segment_is_compressed_begins_the_next() {
    let log = Log::new();
    let mut capture = log.capture(1, Limits::default());
    pass(&mut capture, &log.fifo(1), b"one\n");
    drop(capture);
    let held = File::open(log.series.path(Segment::first_of(1))).expect("there");
    held.lock().expect("nobody has it");
    let mut capture = log.capture(1, Limits::default());
    pass(&mut capture, &log.fifo(1), b"two\n");
    drop(held);
    assert_eq!(log.lines(None), ["one", "two"]);
    assert_eq!(capture.place().segment.number, 1);
}

#[test]
fn lines_since_a_moment_are_found_over_segments_and_runs() {
    let log = Log::new();
    let mut capture = log.capture(1, keeping(4096));
    pass(&mut capture, &log.fifo(1), numbered(1000).as_bytes());
    std::thread::sleep(Duration::from_millis(1100));
    let moment = SystemTime::now();
    pass(&mut capture, &log.fifo(1), b"after\n");
    let mut next = log.capture(2, keeping(4096));
    pass(&mut next, &log.fifo(2), b"later\n");
    tidy(&log.series, &keeping(4096)).expect("readable");
    let since = |time| {
        news(
            &mut Reader::open(log.series.clone(), Range { since: Some(time), ..Range::default() })
                .expect("readable"),
        )
    };
    let lines = since(moment);
    assert!(lines.ends_with(&["after".to_owned(), "later".to_owned()]), "{lines:?}");
    assert!(lines.len() < 1000, "it begins near the moment: {} lines", lines.len());
    assert_eq!(lines, ["after", "later"]);
    assert_eq!(since(SystemTime::UNIX_EPOCH).len(), 1002);
    assert_eq!(since(SystemTime::now() + Duration::from_secs(60)), Vec::<String>::new());
}

#[test]
fn lines_until_a_moment_end_there_and_the_last_ones_are_those_of_the_range() {
    let log = Log::new();
    let mut capture = log.capture(1, keeping(4096));
    let mut other = log.capture(2, keeping(4096));
    let mut moments = Vec::new();
    for round in 0..3 {
        moments.push(SystemTime::now());
        pass(&mut capture, &log.fifo(1), format!("{round}\n").repeat(1000).as_bytes());
        pass(&mut other, &log.fifo(2), format!("other {round}\nhalf").as_bytes());
        pass(&mut other, &log.fifo(2), b" a line\n");
        std::thread::sleep(Duration::from_millis(1100));
    }
    tidy(&log.series, &keeping(4096)).expect("readable");
    let of = |since: Option<usize>, until: Option<usize>, last| {
        let [since, until] = [since, until].map(|index| index.map(|index| moments[index]));
        let range = Range { since, until, last, ..Range::default() };
        news(&mut Reader::open(log.series.clone(), range).expect("readable"))
    };
    let round = |number: usize| {
        let own = vec![number.to_string(); 1000];
        (own, vec![format!("other {number}"), "half a line".to_owned()])
    };
    let (own, others) = round(1);
    let expected = [own, others].concat();
    assert_eq!(of(Some(1), Some(2), None), expected);
    assert_eq!(of(Some(1), Some(2), Some(3)), expected[999..]);
    assert_eq!(of(Some(1), Some(2), Some(5000)), expected);
    assert_eq!(of(None, Some(1), Some(1)), ["half a line"]);
    assert_eq!(of(None, Some(0), None), Vec::<String>::new());
    assert_eq!(of(Some(2), None, Some(1001)).len(), 1001);
    assert_eq!(of(None, None, None).len(), 3 * 1002);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    /// The model is one string for each run: the bytes that were written.
    #[test]
    fn a_series_is_what_was_written_wherever_it_is_rotated_compressed_and_reopened(
        // Not smaller, because a hundred thousand segments of one byte each would take this test an hour.
        size in 100_u64..3000,
        steps in prop::collection::vec((0_usize..3, "[ab\n]{0,40}", 1_usize..120, 0_u8..8), 1..20),
    ) {
        let log = Log::new();
        let limits = keeping(size);
        let mut model: Vec<String> = vec![String::new(); 3];
        let mut captures: Vec<Option<Capture>> = vec![None, None, None];
        for (run, text, times, act) in steps {
            let number = run as u64 + 1;
            let capture = captures[run].get_or_insert_with(|| log.capture(number, limits));
            let text = text.repeat(times);
            pass(capture, &log.fifo(number), text.as_bytes());
            model[run].push_str(&text);
            if act == 0 { captures[run] = None; }
            if act <= 2 { tidy(&log.series, &limits).expect("readable"); }
        }
        let expected: Vec<&str> = model.iter().flat_map(|text| text.lines()).collect();
        prop_assert_eq!(&log.lines(None), &expected);
        prop_assert_eq!(&log.lines(Some(7))[..], &expected[expected.len().saturating_sub(7)..]);
        for (run, text) in (1..).zip(&model) {
            prop_assert!(log.bytes(run) == text.as_bytes());
        }
    }
}

/// The environment variable that has the test program act in a role, instead of running tests.
const ROLE: &str = "LOG_STORE_TEST_ROLE";
const SIZE: u64 = 20_000;

/// The logger and the compressor that are killed: this program in one of these roles.
#[test]
fn part_of_the_sweep() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let place = PathBuf::from(std::env::var_os("LOG_STORE_TEST_PLACE").expect("it is told"));
    let pid = std::process::id().to_string();
    fs::write(place.join(format!("{}.pid", role.to_string_lossy())), pid).expect("written");
    let series = Series::new(&place.join("log"), "stdout");
    while place.exists() {
        if role == "logger" {
            let fifo = place.join("1.fifo");
            let mut capture = Capture::open(&fifo, &series, 1, keeping(SIZE)).expect("it opens");
            while place.exists() {
                if capture.move_bytes().expect("there is room").bytes == 0 {
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        }
        let _ = tidy(&series, &keeping(SIZE));
    }
}

/// strace kills the process at the n-th call of one kind, for each kind of call that changes something, and each n.
#[test]
fn no_byte_is_lost_or_doubled_wherever_the_logger_and_the_compressor_are_killed() {
    if Command::new("strace").arg("-V").output().is_err() {
        skipped::skip("no strace to kill at a system call");
        return;
    }
    let calls: &[(&str, &[&str])] = &[
        ("logger", &["splice", "openat", "flock", "write", "pwrite64", "unlink", "ftruncate"]),
        ("compressor", &["openat", "flock", "write", "rename", "unlink", "fsync", "utimensat"]),
    ];
    for (role, calls) in calls {
        for call in *calls {
            for nth in [1, 2, 3, 5, 8] {
                killed_at(role, call, nth);
            }
        }
    }
}

/// Starts a process in a role, with strace if it is to be killed.
fn part(log: &Log, role: &str, strace: Option<(&str, u32)>) -> Child {
    let own = std::env::current_exe().expect("it is known");
    let mut command = match strace {
        Some((call, nth)) => {
            let mut command = Command::new("strace");
            let kill = format!("inject={call}:signal=KILL:when={nth}");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &kill]);
            command.arg(own);
            command
        }
        None => Command::new(own),
    };
    command.args(["--exact", "part_of_the_sweep"]).env(ROLE, role);
    command.env("LOG_STORE_TEST_PLACE", log.place.path());
    command.stdout(Stdio::null()).spawn().expect("it starts")
}

/// Kills a process in a role. Killing strace alone would leave it alive.
fn end(log: &Log, role: &str, mut part: Child) {
    let pid = log.place.path().join(format!("{role}.pid"));
    let pid = eventually("it has begun", || {
        let is_over = part.try_wait().expect("it is ours").is_some();
        let read = fs::read_to_string(&pid).ok().and_then(|pid| pid.parse().ok());
        (read.is_some() || is_over).then_some(read)
    });
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
        eventually("it is gone", || {
            let _ = part.try_wait();
            test_kill_process(pid).is_err().then_some(())
        });
    }
    let _ = part.wait();
    let _ = fs::remove_file(log.place.path().join(format!("{role}.pid")));
}

fn eventually<T>(fact: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "never so: {fact}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn killed_at(role: &str, call: &str, nth: u32) {
    let log = Log::new();
    // This makes the FIFO, and begins the log.
    drop(log.capture(1, keeping(SIZE)));
    let text = numbered(25_000);
    let mut writer = File::from(writing_end(&log.fifo(1)).expect("it is there"));
    let other = if role == "logger" { "compressor" } else { "logger" };
    let (beside, mut first) = (part(&log, other, None), part(&log, role, Some((call, nth))));
    let second = std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(text.as_bytes()).expect("somebody reads"));
        let begin = Instant::now();
        // A compressor finds less to do each time, and may never reach that call.
        while first.try_wait().expect("it is ours").is_none() && begin.elapsed() < Duration::from_millis(500)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        end(&log, role, first);
        let second = part(&log, role, None);
        eventually("all of it was stored", || (log.length() >= text.len()).then_some(()));
        second
    });
    end(&log, role, second);
    end(&log, other, beside);
    let lines = log.lines(None).join("\n") + "\n";
    assert!(lines == text, "{role} killed at {call} {nth}: {} bytes of {}", lines.len(), text.len());
    assert!(log.bytes(1) == text.as_bytes(), "{role} killed at {call} {nth}");
}
