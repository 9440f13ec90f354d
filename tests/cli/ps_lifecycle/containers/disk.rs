//! A disk that is full to the last pages: what ran runs on, and the same verb with room makes everything right.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::verbs::{CHANGES, ENGINE, LONGEST, Place, has_engine};
use super::{sample, took};
use crate::program;

const PAGE: u64 = 4096;
const ROOM: &str = "size=768k";
/// How many pages are left.
const LEFT: [u64; 12] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 18];
/// How many of them are tried with each verb in each place in a plain run.
const PLAIN: usize = 1;
const PLACES: [&str; 2] = ["lib", "home"];

/// A small disk, mounted until this is dropped.
struct Disk(PathBuf);

impl Disk {
    /// In the place of this directory; `None` where we may not mount one, which is said.
    fn over(directory: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", ROOM, "tmpfs"]).arg(directory);
        let is_mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !is_mounted.is_ok_and(|status| status.success()) {
            skipped::skip("no root: only root can mount a small disk");
            return None;
        }
        Some(Self(directory.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill_but(&self, pages: u64) {
        let mut filler = File::options().append(true).create(true).open(self.filler()).expect("a file");
        while filler.write(&[b'x'; 4096]).is_ok_and(|written| written > 0) {}
        let full = filler.metadata().expect("it is there").len();
        filler.set_len(full.saturating_sub(pages * PAGE)).expect("it can be cut");
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("it was there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

fn on_a_small_disk(nth: usize, which: &str) {
    let place = Place::new(Path::new(ENGINE));
    let Some(disk) = Disk::over(&place.home.path(which)) else { return };
    place.set_up();
    let verbs = [&CHANGES[1], &CHANGES[2], &CHANGES[3]];
    for (verb, nth) in verbs.into_iter().zip(nth * verbs.len()..) {
        for pages in sample(&LEFT, PLAIN, (nth, PLACES.len() * verbs.len())) {
            let what = format!("{:?}, {pages} pages left in {which}", verb.words);
            took(&what);
            place.prepare(verb);
            let before = place.running();
            disk.fill_but(pages);
            let ran = program::run_within(place.command(verb.words, &place.host()), LONGEST);
            disk.make_room();
            assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
            let running = place.running();
            if ran.status == Some(0) {
                let wanted = if verb.words[0] == "ps-scale" { 3 } else { 2 };
                assert_eq!(running.len(), wanted, "{what}: {ran:?}");
            } else {
                assert!(ran.stderr.contains("No space left on device"), "{what}: {ran:?}");
                let is_new = ran.stderr.contains("runs, and the next verb finishes its record");
                assert!(running == before || is_new && running.len() == 2, "{what}: {ran:?}");
            }
            place.does(verb.words, &what);
            place.is_as_wanted(verb, &what);
        }
    }
    place.does(&["ps-lifecycle", "destroy", "APP"], "at the end");
    drop(disk);
}

#[test]
fn on_a_full_disk_what_ran_runs_on_and_the_same_verb_with_room_makes_it_right() {
    if has_engine() {
        thread::scope(|scope| {
            for (nth, which) in PLACES.into_iter().enumerate() {
                scope.spawn(move || on_a_small_disk(nth, which));
            }
        });
    }
}
