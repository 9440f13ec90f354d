//! Logs that are rotated and emptied by whoever holds them.

use std::fs::{self, File};

use crate::home::{Home, eventually};
use crate::refused;
use crate::ticks::{follow, more_ticks, ticks};

/// How many bytes it says that was about.
fn bytes(said: &str, how: &str) -> u64 {
    let number = said.strip_prefix("shop: ").and_then(|said| said.strip_suffix(&format!(" bytes {how}\n")));
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

fn names(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path("lib/data/scheduler-native/shop/web.1/log")).expect("it has logs");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with("stdout"));
    names.sort();
    names
}

#[test]
fn a_log_is_rotated_and_emptied_while_it_is_written_and_who_follows_misses_nothing() {
    let home = Home::running("shop", "web: faultapp --tick 0.01\n", &[]);
    let (_following, read) = follow(&home);
    for round in 1..=5 {
        more_ticks(&read, 5);
        let rotated = bytes(&home.does(&["ps-logs", "shop", "--rotate"]), "rotated");
        assert!(rotated > 0);
        assert_eq!(names(&home).len(), round + 1, "{:?}", names(&home));
    }
    let all = ticks(&home.does(&["ps-logs", "shop", "-n", "100000"]));
    assert!(all.iter().copied().eq(1..=all.len() as u64), "{all:?}");

    let before = more_ticks(&read, 5).len() as u64;
    assert!(bytes(&home.does(&["ps-logs", "shop", "web.1", "--flush"]), "removed") > before);
    more_ticks(&read, 5);
    let left = ticks(&home.does(&["ps-logs", "shop", "-n", "100000"]));
    assert!(left[0] > before, "what was followed before is gone: {before}, {left:?}");
    assert_eq!(names(&home).len(), 1, "{:?}", names(&home));
    let followed = more_ticks(&read, 1);
    assert!(followed.iter().copied().eq(1..=followed.len() as u64), "{followed:?}");
    let events = home.does(&["ps-lifecycle", "events", "shop"]);
    assert!(
        events.contains("rotate-logs asked for by") && events.contains("flush-logs succeeded"),
        "{events}"
    );
}

#[test]
fn where_no_supervisor_lives_the_logs_are_kept_up_all_the_same() {
    let home = Home::running("shop", "web: faultapp --tick 0.01\n", &[]);
    eventually("it has written", || {
        let printed = home.does(&["ps-logs", "shop"]);
        if ticks(&printed).len() > 3 { Ok(()) } else { Err(printed) }
    });
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let service = home.path("lib/data/scheduler-native/shop");
    eventually("its supervisor has left", || {
        let lock = File::open(service.join("lock")).map_err(|error| error.to_string())?;
        let locked = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        locked.map_err(|errno| errno.to_string())
    });
    let rotated = bytes(&home.does(&["ps-logs", "shop", "--rotate"]), "rotated");
    assert!(rotated > 0 && names(&home).len() == 2, "{rotated}, {:?}", names(&home));
    assert_eq!(bytes(&home.does(&["ps-logs", "shop", "--rotate"]), "rotated"), 0);
    assert!(bytes(&home.does(&["ps-logs", "shop", "--flush"]), "removed") >= rotated);
    assert_eq!(home.does(&["ps-logs", "shop"]), "");
    home.does(&["ps-lifecycle", "start", "shop"]);
    eventually("it writes again", || {
        let printed = home.does(&["ps-logs", "shop", "-n", "100000"]);
        if ticks(&printed).first() == Some(&1) { Ok(()) } else { Err(printed) }
    });
}

#[test]
fn what_makes_no_sense_with_it_is_refused_and_who_cannot_says_so() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    refused(&home, &["ps-logs", "--flush"], 2, "say of which apps");
    refused(&home, &["ps-logs", "shop", "--flush", "--rotate"], 2, "cannot be used with");
    refused(&home, &["ps-logs", "shop", "--rotate", "--grep", "x"], 2, "cannot be used with");
    refused(&home, &["ps-logs", "shop", "web.7", "--flush"], 1, "web.7");
    // Whatever else lies in the place of the logs is not touched.
    let log = home.path("lib/data/scheduler-native/shop/web.1/log");
    fs::remove_dir_all(&log).expect("removed");
    fs::write(&log, "mine").expect("written");
    refused(&home, &["ps-logs", "shop", "--flush"], 1, "empty the logs of shop: web.1: ");
    assert_eq!(fs::read(&log).expect("it is there"), b"mine");
}
