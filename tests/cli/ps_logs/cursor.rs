//! The cursor: no line twice, none lost.

use std::fs;
use std::os::unix::process::CommandExt;

use rustix::process::Signal;

use crate::home::{Home, eventually};
use crate::program::Running;
use crate::refused;

#[test]
fn what_is_read_in_parts_and_followed_until_it_is_told_to_end_is_each_line_once() {
    let home = Home::running("shop", "web: faultapp --tick 0.02\n", &[]);
    // Small segments: the log is rotated while it is read.
    home.does(&["ps-set", "shop", "log-max-size", "4k"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    let cursor = home.path("cursor");
    let cursor = cursor.to_str().expect("text");
    let words = ["ps-logs", "shop", "--no-prefix", "--after-cursor", cursor, "--save-cursor", cursor];
    let read = home.path("read");
    let append = || fs::OpenOptions::new().create(true).append(true).open(&read).expect("made");
    let mut lines = 0;
    for round in 0..6 {
        let mut command = home.command(&words);
        command.stdout(append());
        if round % 2 == 0 {
            assert!(command.status().expect("it runs").success());
        } else {
            command.arg("-f").process_group(0);
            let mut following = Running::begin(command);
            eventually("it follows", || {
                let text = fs::read_to_string(&read).expect("text");
                if text.lines().count() > lines + 30 { Ok(()) } else { Err(text) }
            });
            following.signal(Signal::TERM);
            let ended = following.ended();
            assert_eq!(ended.status, Some(143), "{ended:?}");
        }
        lines = fs::read_to_string(&read).expect("text").lines().count();
    }
    let seen = fs::read_to_string(&read).expect("text");
    let all = home.does(&["ps-logs", "shop", "--no-prefix", "-n", "100000"]);
    assert!(seen.lines().count() > 90 && all.starts_with(&seen), "{seen}\n{all}");
    home.write("nonsense", "{");
    let nonsense = home.path("nonsense");
    let nonsense = nonsense.to_str().expect("text");
    refused(&home, &["ps-logs", "shop", "--after-cursor", nonsense], 1, "is no cursor");
    refused(&home, &["ps-logs", "shop", "--save-cursor", "/nowhere/cursor"], 1, "/nowhere is no directory");
}
