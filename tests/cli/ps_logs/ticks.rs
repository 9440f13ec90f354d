//! An app that counts aloud (`faultapp --tick`), and who follows it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::home::{Home, eventually};
use crate::program::Running;

/// The numbers of the ticks in what was printed.
pub(crate) fn ticks(printed: &str) -> Vec<u64> {
    let number = |line: &str| line.rsplit_once("tick ")?.1.parse().ok();
    printed.lines().filter_map(number).collect()
}

/// Follows the app `shop` from its first line on into a file, until it is dropped.
pub(crate) fn follow(home: &Home) -> (Running, PathBuf) {
    let read = home.path("followed");
    let mut command = home.command(&["ps-logs", "shop", "-f", "-n", "1000000", "--no-prefix"]);
    command.process_group(0).stdout(File::create(&read).expect("made"));
    (Running::begin(command), read)
}

/// What was followed.
pub(crate) fn followed(read: &Path) -> Vec<u64> {
    ticks(&fs::read_to_string(read).expect("text"))
}

/// Waits until so many more ticks were followed; all of them.
pub(crate) fn more_ticks(read: &Path, more: usize) -> Vec<u64> {
    let seen = followed(read).len();
    eventually("more is followed", || {
        let now = followed(read);
        if now.len() >= seen + more { Ok(now) } else { Err(format!("{seen} before, now {}", now.len())) }
    })
}
