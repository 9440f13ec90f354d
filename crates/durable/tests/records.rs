//! Records come back as they were appended, whatever cut the file short in between and whoever else appends.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use durable::{Access, ReadError, Records};
use proptest::prelude::*;

const LARGE: u64 = 1 << 20;

fn access(place: &Path) -> Access {
    Access::like(place, 0o600)
}

fn append(place: &Path, records: &Records, record: &str) {
    records.append(record, access(place)).expect("appended");
}

fn size(place: &Path) -> u64 {
    fs::metadata(place.join("log/journal")).map_or(0, |file| file.len())
}

fn cut(place: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(place.join("log/journal"));
    file.and_then(|file| file.set_len(bytes)).expect("cut");
}

#[derive(Clone, Debug)]
enum Step {
    Append(String),
    /// The file is cut after this part of it, in thousandths, as if a writer was killed or the power failed.
    Cut(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => "[a-z{}\":, ]{1,40}".prop_map(Step::Append),
        1 => (0_u64..=1000).prop_map(Step::Cut),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_read_is_what_was_appended_up_to_the_cut_and_nothing_else(steps in steps()) {
        let place = tempfile::tempdir().expect("a directory");
        let records = Records::new(place.path(), &place.path().join("log/journal"), LARGE);
        let mut expected: Vec<String> = Vec::new();
        for step in steps {
            match step {
                Step::Append(record) => {
                    append(place.path(), &records, &record);
                    expected.push(record);
                }
                Step::Cut(part) if size(place.path()) > 0 => {
                    let left = size(place.path()) * part / 1000;
                    cut(place.path(), left);
                    let mut end = 0;
                    expected.retain(|record| {
                        end += record.len() as u64 + 1;
                        end <= left
                    });
                }
                Step::Cut(_) => (),
            }
            prop_assert_eq!(&records.read().expect("readable"), &expected);
        }
    }

    #[test]
    fn a_full_file_keeps_its_newest_records(lengths in prop::collection::vec(1_usize..200, 1..80)) {
        const MAX: u64 = 1000;
        let place = tempfile::tempdir().expect("a directory");
        let records = Records::new(place.path(), &place.path().join("log/journal"), MAX);
        let mut all = Vec::new();
        for (number, length) in lengths.into_iter().enumerate() {
            all.push(format!("{number} {}", "x".repeat(length)));
            append(place.path(), &records, &all[number]);
            prop_assert!(size(place.path()) <= MAX);
            let kept = records.read().expect("readable");
            prop_assert!(all.ends_with(&kept) && !kept.is_empty(), "{:?}", kept);
            let is_all = kept.len() == all.len();
            prop_assert!(is_all || size(place.path()) > MAX / 4, "it forgets too much: {:?}", kept);
        }
    }
}

/// Records of four writers, each numbered.
fn numbered(max: u64) -> Vec<Vec<usize>> {
    const EACH: usize = 100;
    let place = tempfile::tempdir().expect("a directory");
    let records = Records::new(place.path(), &place.path().join("log/journal"), max);
    thread::scope(|scope| {
        for writer in 0..4 {
            let (records, place) = (&records, place.path());
            scope.spawn(move || {
                (0..EACH).for_each(|number| append(place, records, &format!("{writer} {number}")));
            });
        }
    });
    let mut found = vec![Vec::new(); 4];
    for record in records.read().expect("readable") {
        let (writer, number) = record.split_once(' ').expect("a whole record");
        found[writer.parse::<usize>().expect("a writer")].push(number.parse().expect("a number"));
    }
    found
}

#[test]
fn writers_at_once_lose_nothing_of_each_other() {
    for numbers in numbered(LARGE) {
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn writers_at_once_lose_nothing_but_the_oldest_while_the_file_is_halved_again_and_again() {
    let found = numbered(400);
    for numbers in &found {
        let newest: Vec<usize> = (100 - numbers.len()..100).collect();
        assert_eq!(numbers, &newest, "{found:?}");
    }
    assert!(found.iter().map(Vec::len).sum::<usize>() > 10, "{found:?}");
}

#[test]
fn the_file_is_for_its_owner_alone_whatever_it_was_before() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("log/journal");
    let records = Records::new(place.path(), &path, LARGE);
    append(place.path(), &records, "one");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
    append(place.path(), &records, "two");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, 0o600);
}

#[test]
fn what_is_no_file_is_an_error_that_comes_at_once() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("journal");
    let records = Records::new(place.path(), &path, LARGE);
    assert_eq!(records.read().expect("none is no error"), Vec::<String>::new());
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .expect("a FIFO");
    let begin = Instant::now();
    let error = records.append("one", access(place.path())).expect_err("a FIFO");
    assert!(error.to_string().contains("journal: is not a file"), "{error}");
    assert!(matches!(records.read(), Err(ReadError::NotAFile("a FIFO"))));
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_writer_that_is_stopped_in_the_middle_holds_the_others_up_for_a_while_only() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("journal");
    let records = Records::new(place.path(), &path, LARGE);
    append(place.path(), &records, "one");
    let held = fs::File::open(&path).expect("there");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("free");
    let error = records.append("two", access(place.path())).expect_err("it is held");
    assert!(error.to_string().contains("has held it for 2 s"), "{error}");
    let hurried = records.clone().waiting_at_most(Duration::from_millis(20));
    let error = hurried.append("late", access(place.path())).expect_err("it is held");
    assert!(error.to_string().contains("has held it for 0.02 s"), "{error}");
    drop(held);
    append(place.path(), &records, "three");
    assert_eq!(records.read().expect("readable"), ["one", "three"]);
}

#[test]
fn a_file_that_somebody_else_made_too_large_is_read_from_its_end_and_is_small_again_afterwards() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("journal");
    let text = (0..10_000).map(|number| format!("record {number}")).collect::<Vec<_>>().join("\n");
    fs::write(&path, text + "\nhalf a rec").expect("written");
    let records = Records::new(place.path(), &path, 1000);
    let read = records.read().expect("readable");
    assert!(read.len() < 100 && read.iter().all(|record| record.starts_with("record ")), "{read:?}");
    append(place.path(), &records, "new");
    let read = records.read().expect("readable");
    assert_eq!(read[read.len() - 2..], ["record 9999", "new"]);
    assert!(fs::metadata(&path).expect("there").len() <= 1000);
    let long = "x".repeat(600);
    assert!(records.append(&long, access(place.path())).is_err());
    assert!(records.append("two\nlines", access(place.path())).is_err());
}
