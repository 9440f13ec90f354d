//! A journal that another program has made far too long is read from its end.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_journal::{Event, Journal};

const LENGTH: u64 = 1 << 30;
/// The most bytes that a journal has.
const MOST: u64 = 1 << 20;

/// How many bytes this thread has read so far.
fn read_so_far() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").expect("Linux counts what is read");
    let number = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("it is counted");
    number.parse().expect("a number")
}

#[test]
fn of_a_gigabyte_only_the_end_is_read() {
    let place = tempfile::tempdir().expect("a directory");
    let world = World::new(place.path().join("home"), place.path().join("lib"));
    let app: AppName = "shop".parse().expect("a legal name");
    world.create_app(&app).expect("an app");
    let journal = Journal::of(&world, &app);
    for number in 0..20 {
        journal.ended("stop", None, Duration::from_millis(number), |loss| panic!("{loss}"));
    }
    let path = world.kept_dir(&app).join("journal");
    let entries = fs::read(&path).expect("it was written");
    let file = File::options().write(true).open(&path).expect("it opens");
    // The first part is a hole, which takes no room on the disk; it ends with a newline.
    file.write_all_at(b"\n", LENGTH - 1).expect("written");
    file.write_all_at(&entries, LENGTH).expect("written");
    let before = read_so_far();
    let contents = journal.read().expect("readable");
    let read = read_so_far() - before;
    assert!(read <= MOST + 4096, "{read} bytes of {LENGTH}");
    let took = contents.entries.iter().filter_map(|entry| match &entry.event {
        Event::Ended { took_ms, .. } => Some(*took_ms),
        _ => None,
    });
    assert!(took.eq(0..20), "{contents:?}");
}
