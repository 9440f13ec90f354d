//! `events`: what the journals say, for people and for scripts.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;

use crate::home::{Home, eventually};
use crate::program::Running;

#[test]
fn events_of_an_app_are_told_in_words_and_in_rows_and_are_followed() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    let printed = home.does(&["ps-lifecycle", "events", "shop"]);
    for word in [" deploy asked for by ", " planned: start web.1", " deploy succeeded after "] {
        assert!(printed.contains(word), "{word:?}: {printed}");
    }
    let rows = home.run(&["ps-lifecycle", "events", "--json"]).rows();
    assert_eq!(rows.len(), printed.lines().count());
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/schemas/ps-lifecycle-events.json"))
            .expect("a schema");
    for row in &rows {
        for key in schema["required"].as_array().expect("keys") {
            assert!(!row[key.as_str().expect("a word")].is_null(), "{key}: {row}");
        }
        assert_eq!(row["app"], "shop");
    }
    assert_eq!(home.does(&["ps-lifecycle", "events", "-n", "1"]).lines().count(), 1);
    assert_eq!(home.does(&["ps-lifecycle", "events", "--until", "1h"]), "");
    home.run(&["ps-lifecycle", "events", "none"]).is_refused(20, &["app none does not exist"]);
    let read = home.path("followed");
    let mut command = home.command(&["ps-lifecycle", "events", "shop", "-f", "-n", "0"]);
    command.process_group(0).stdout(File::create(&read).expect("made"));
    let _following = Running::begin(command);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    eventually("it is followed", || {
        let text = fs::read_to_string(&read).expect("text");
        if text.contains("stop succeeded") { Ok(()) } else { Err(text) }
    });
}

#[test]
fn the_last_events_of_a_huge_journal_come_at_once_and_half_a_line_is_passed_over() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    let journal = home.path("lib/data/formation/shop/journal");
    let lines = fs::read(&journal).expect("a journal");
    let mut file = OpenOptions::new().write(true).open(&journal).expect("ours");
    // A gigabyte of nothing, as far as the disk is concerned, before the events.
    file.set_len(1 << 30).expect("it can be sparse");
    drop(file);
    file = OpenOptions::new().append(true).open(&journal).expect("ours");
    file.write_all(b"\nno event\n").and_then(|()| file.write_all(&lines)).expect("written");
    file.write_all(b"{\"format\":1,\"at\":\"2026").expect("written");
    let ran = home.run(&["ps-lifecycle", "events", "shop", "-n", "20"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("deploy succeeded") && ran.stderr.contains("unreadable lines"), "{ran:?}");
    let peak = home.run(&["ps-lifecycle", "events", "shop", "-n", "1", "--json"]).rows();
    assert_eq!(peak[0]["event"], "ended", "what was torn off is not the last event");
}
