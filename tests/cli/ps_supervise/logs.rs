//! Logs that others cut, rename or remove while they are written.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use formation::State;
use rustix::fs::{CWD, FileType, Mode};

use crate::rounds;
use crate::service::{DEADLINE, Service, eventually};

/// A service whose `web.1` writes what is put into a FIFO. It holds both ends itself: no writer's end is its end, and no
/// word falls between two readers.
struct Echo {
    service: Service,
}

impl Echo {
    fn start() -> Self {
        let mut service = Service::new(&[("web", "exec cat <>words", 1)]);
        let words = service.path().join("words");
        rustix::fs::mknodat(CWD, &words, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
        service.start();
        service.await_status("web.1", "runs", |status| status.state == State::Running);
        Self { service }
    }

    fn say(&self, words: &str) {
        let mut fifo = fs::OpenOptions::new().write(true).open(self.service.path().join("words"));
        fifo.as_mut().expect("web.1 listens").write_all(words.as_bytes()).expect("web.1 reads");
    }

    fn log(&self) -> PathBuf {
        self.service.log_file("web.1")
    }

    fn await_content(path: &Path, content: &str) {
        let mut last = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < DEADLINE {
            last = fs::read(path).unwrap_or_default();
            if last == content.as_bytes() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{} is {:?}, not {content:?}", path.display(), String::from_utf8_lossy(&last));
    }
}

#[test]
fn a_log_that_is_cut_goes_on_at_its_beginning() {
    let echo = Echo::start();
    echo.say("a first line that is long\n");
    Echo::await_content(&echo.log(), "a first line that is long\n");
    File::create(echo.log()).expect("it can be cut");
    echo.say("second\n");
    Echo::await_content(&echo.log(), "second\n");
    // Cut in the middle, and filled again by somebody else: what comes then is put behind.
    File::options().write(true).open(echo.log()).and_then(|log| log.set_len(3)).expect("it can be cut");
    echo.say("third\n");
    Echo::await_content(&echo.log(), "secthird\n");
}

#[test]
fn a_log_that_is_renamed_is_followed_by_a_new_one_of_its_name() {
    let echo = Echo::start();
    echo.say("one\n");
    Echo::await_content(&echo.log(), "one\n");
    let old = echo.log().with_file_name("stdout.1");
    fs::rename(echo.log(), &old).expect("it can be renamed");
    echo.say("two\n");
    Echo::await_content(&echo.log(), "two\n");
    Echo::await_content(&old, "one\n");
    // As logrotate does with `create`: the new file is there already, and may say something.
    fs::rename(echo.log(), &old).expect("it can be renamed");
    fs::write(echo.log(), "rotated\n").expect("it can be made");
    echo.say("three\n");
    Echo::await_content(&echo.log(), "rotated\nthree\n");
    Echo::await_content(&old, "two\n");
}

#[test]
fn a_log_that_is_removed_with_its_directory_is_made_again() {
    let echo = Echo::start();
    echo.say("one\n");
    Echo::await_content(&echo.log(), "one\n");
    // Somebody may make a file in it while it is being removed.
    let directory = echo.service.path().join("web.1/log");
    eventually("it is removed", || fs::remove_dir_all(&directory).ok());
    echo.say("two\n");
    Echo::await_content(&echo.log(), "two\n");
}

/// A service whose `web.1` counts until a file `enough` is there, and then says so.
fn counting() -> Service {
    let count = "n=0; until [ -e enough ]; do n=$((n+1)); echo $n; done; echo enough";
    let mut service = Service::new(&[("web", count, 1)]);
    service.start();
    service.await_status("web.1", "runs", |status| status.state == State::Running);
    service
}

fn stop_counting(service: &Service) {
    fs::write(service.path().join("enough"), "").expect("written");
}

#[test]
fn no_line_is_lost_or_doubled_while_the_log_is_rotated_again_and_again() {
    let service = counting();
    let log = service.log_file("web.1");
    let mut rotated = Vec::new();
    let wanted = rounds(50, 1000);
    eventually("it is rotated often", || {
        let name = log.with_file_name(format!("stdout.{}", rotated.len() + 1));
        rotated.extend(fs::rename(&log, &name).is_ok().then_some(name));
        (rotated.len() >= wanted).then_some(())
    });
    stop_counting(&service);
    let text = eventually("all was written", || {
        let parts = rotated.iter().chain([&log]).map(|part| fs::read_to_string(part).unwrap_or_default());
        Some(parts.collect::<String>()).filter(|text| text.ends_with("enough\n"))
    });
    assert_numbered(&text);
}

#[test]
fn a_log_that_is_cut_while_it_is_written_has_no_gap() {
    let service = counting();
    let log = service.log_file("web.1");
    let mut cut = 0;
    let wanted = rounds(50, 1000);
    eventually("it is cut often", || {
        if fs::metadata(&log).is_ok_and(|log| log.len() > 10_000) {
            File::create(&log).expect("it can be cut");
            cut += 1;
        }
        (cut >= wanted).then_some(())
    });
    stop_counting(&service);
    // The very moment of a cut may show a gap; it is gone when the bytes after it are there.
    eventually("all was written and no gap is left", || {
        let bytes = fs::read(&log).unwrap_or_default();
        (bytes.ends_with(b"enough\n") && !bytes.contains(&0)).then_some(())
    });
}

/// Each number once, in order, and then `enough`.
fn assert_numbered(text: &str) {
    let mut expected = 1;
    for line in text.lines().filter(|line| *line != "enough") {
        assert_eq!(line.parse::<usize>().ok(), Some(expected), "the line {line:?}");
        expected += 1;
    }
    assert!(expected > 1, "it wrote nothing");
}
