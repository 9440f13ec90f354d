//! A journal is read as it was written, up to the point where it was cut, and without additional entries.

use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_journal::{Change, Contents, Event, Journal, LastWords, Outcome};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
    world: World,
    app: AppName,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let world = World::new(directory.path().join("home"), directory.path().join("lib"));
        let app = "shop".parse().expect("a legal name");
        world.create_app(&app).expect("an app");
        Self { directory, world, app }
    }

    fn journal(&self) -> Journal<'_> {
        Journal::of(&self.world, &self.app)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("lib/data/formation/shop/journal")
    }

    fn read(&self) -> Contents {
        self.journal().read().expect("readable")
    }
}

fn unlost(loss: &str) {
    panic!("{loss}");
}

fn write_some(journal: &Journal<'_>) {
    let change = Change { slots: "web.1-2".into(), change: "start".into(), reason: "missing".into() };
    journal.asked("deploy", &["shop".to_owned(), "--dir".to_owned(), "src".to_owned()], unlost);
    journal.planned(vec![change.clone()], unlost);
    journal.done(vec![Change { change: "started".into(), ..change }], unlost);
    journal.ended("deploy", Some("web.1 ended: why\nSECRET=1"), Duration::from_secs(1), unlost);
}

#[test]
fn what_was_written_is_read_with_times_boot_and_who_asked() {
    let place = Place::new();
    write_some(&place.journal());
    let Contents { entries, unreadable } = place.read();
    assert_eq!((entries.len(), unreadable), (4, 0));
    assert!(entries.windows(2).all(|pair| {
        pair[0].at <= pair[1].at && pair[0].monotonic_ms <= pair[1].monotonic_ms && pair[0].act == pair[1].act
    }));
    assert!(entries.iter().all(|entry| entry.format == 1 && entry.boot == os_process::boot_id()));
    let user = os_process::user_name(rustix::process::getuid().as_raw());
    assert!(matches!(&entries[0].event, Event::Asked { asker, .. } if asker.user == user));
    let Event::Ended { outcome, error, .. } = &entries[3].event else { panic!("{entries:?}") };
    assert_eq!((*outcome, error.as_deref()), (Outcome::Failed, Some("web.1 ended: why")), "one line alone");
    assert_eq!(fs::metadata(place.path()).expect("there").permissions().mode() & 0o7777, 0o600);
}

#[test]
fn cut_at_any_byte_it_reads_as_a_beginning_of_what_was_written_and_goes_on_after_that() {
    let place = Place::new();
    write_some(&place.journal());
    let (bytes, all) = (fs::read(place.path()).expect("there"), place.read().entries);
    for length in 0..=bytes.len() {
        fs::write(place.path(), &bytes[..length]).expect("written");
        let Contents { entries, unreadable } = place.read();
        let whole = bytes[..length].split(|byte| *byte == b'\n').count() - 1;
        assert_eq!((&entries[..], unreadable), (&all[..whole], 0), "cut at {length}");
        // The next writer removes the rest of the line that was cut.
        if length % 7 == 0 {
            place.journal().ended("stop", None, Duration::ZERO, unlost);
            let after = place.read();
            assert_eq!((after.entries.len(), after.unreadable), (whole + 1, 0), "cut at {length}");
            assert_eq!(after.entries[..whole], all[..whole]);
        }
    }
}

#[test]
fn lines_that_are_no_entries_are_counted_and_words_of_later_versions_are_unknown() {
    let place = Place::new();
    write_some(&place.journal());
    let mut file = OpenOptions::new().append(true).open(place.path()).expect("there");
    let first = fs::read_to_string(place.path()).expect("text").lines().next().map(str::to_owned);
    let later = first
        .expect("a line")
        .replace("\"asked\"", "\"rolled_back\"")
        .replace("\"format\":1", "\"format\":9");
    file.write_all(format!("mine\n\n{{}}\n\u{fffd}\0\n{later}\n").as_bytes()).expect("written");
    let Contents { entries, unreadable } = place.read();
    assert_eq!((entries.len(), unreadable), (5, 3));
    assert_eq!((entries[4].format, &entries[4].event), (9, &Event::Unknown));
}

#[test]
fn two_programs_at_once_lose_nothing_of_each_other() {
    let place = Place::new();
    thread::scope(|scope| {
        for verb in ["stop", "start"] {
            let place = &place;
            scope.spawn(move || {
                (0..50).for_each(|n| place.journal().ended(verb, None, Duration::from_millis(n), unlost));
            });
        }
    });
    let entries = place.read().entries;
    for wanted in ["stop", "start"] {
        let took = entries.iter().filter_map(|entry| match &entry.event {
            Event::Ended { verb, took_ms, .. } if verb == wanted => Some(*took_ms),
            _ => None,
        });
        assert_eq!(took.collect::<Vec<_>>(), (0..50).collect::<Vec<_>>(), "{wanted}");
    }
}

#[test]
fn a_full_journal_keeps_its_newest_entries() {
    let place = Place::new();
    let filler = format!("{}\n", "x".repeat(1000));
    fs::create_dir_all(place.path().parent().expect("a parent")).expect("made");
    fs::write(place.path(), filler.repeat(2000)).expect("written");
    write_some(&place.journal());
    assert!(fs::metadata(place.path()).expect("there").len() <= 1 << 20);
    assert_eq!(place.read().entries.len(), 4);
}

#[test]
fn an_app_that_is_gone_gets_no_journal_and_one_that_cannot_be_written_is_said_once() {
    let place = Place::new();
    write_some(&place.journal());
    place.world.destroy_app(&place.app).expect("destroyed");
    write_some(&place.journal());
    assert!(!place.path().parent().expect("a parent").exists(), "it was made again");

    place.world.create_app(&place.app).expect("an app");
    fs::create_dir_all(place.path()).expect("a directory in its place");
    let said = RefCell::new(Vec::new());
    for _ in 0..3 {
        place.journal().ended("stop", None, Duration::ZERO, |loss| said.borrow_mut().push(loss.to_owned()));
    }
    let said = said.into_inner();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("the journal of shop lacks") && said[0].contains("formation/shop/journal"),
        "{said:?}"
    );
}

#[test]
fn a_journal_follows_its_app_to_a_new_name_and_replaces_none() {
    let place = Place::new();
    let new: AppName = "store".parse().expect("a legal name");
    let of_new = Journal::of(&place.world, &new);
    // Dokku renames an app before the new one exists.
    place.journal().hand_on(&new).expect("there was none");
    assert_eq!(of_new.read().expect("readable"), Contents::default());
    write_some(&place.journal());
    place.journal().hand_on(&new).expect("copied");
    let told = of_new.read().expect("readable");
    assert_eq!(told, place.read());
    place.journal().ended("stop", None, Duration::ZERO, unlost);
    place.journal().hand_on(&new).expect("it has one");
    assert_eq!(of_new.read().expect("readable"), told);
}

#[test]
fn the_last_words_of_a_process_are_kept_beside_the_journal_and_are_private_and_not_of_an_app_that_is_gone() {
    let place = Place::new();
    let fails = |message: &str| place.journal().ended("deploy", Some(message), Duration::ZERO, unlost);
    fails("release.1 of shop failed; the last it wrote:\n    no such table: orders");
    let kept = LastWords::kept(&place.world, &place.app).expect("they are kept");
    assert_eq!(kept.lines, ["no such table: orders"]);
    assert_eq!(kept.act, place.read().entries[0].act);
    let path = place.path().with_file_name("last-words.json");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let journal = fs::read_to_string(place.path()).expect("a journal");
    assert!(!journal.contains("orders"), "the journal has no output: {journal}");
    fails("it is busy");
    assert_eq!(LastWords::kept(&place.world, &place.app), Some(kept), "what says nothing replaces nothing");
    fs::remove_dir_all(place.directory.path().join("home/shop")).expect("the app is destroyed");
    fs::remove_dir_all(place.path().parent().expect("a directory")).expect("and what was kept of it");
    fails("release.1 of shop failed; the last it wrote:\n    no such table: orders");
    assert!(!path.exists(), "nothing comes back");
}
