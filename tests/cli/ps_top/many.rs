//! A thousand apps of three instances each, as the files of their supervisors say it: all are there, and what changes takes no more memory.

use std::fs;

use jiff::Timestamp;
use serde_json::json;

use crate::home::{Home, eventually};
use crate::pane::Pane;

const APPS: usize = 1_000;
/// So many changes are told, and the memory that the program may have after them, in KiB.
const CHANGES: usize = 3_000;
const MOST_KIB: u64 = 40 << 10;

#[test]
fn a_thousand_apps_are_shown_found_and_followed_in_bounded_memory() {
    let home = Home::new();
    for number in 1..=APPS {
        let app = name(number);
        fs::create_dir_all(home.path(&format!("home/{app}"))).expect("an app");
        home.write(&format!("lib/config/scheduler/{app}/selected"), "native");
        for slot in ["job.1", "web.1", "web.2"] {
            write_status(&home, &app, slot, "stopped", 0);
        }
    }
    seen(&home);
    for place in ["home", "lib"] {
        fs::remove_dir_all(home.path(place)).expect("it was made here");
    }
}

fn seen(home: &Home) {
    let Some(pane) = Pane::run(home, "ps-top") else { return };
    pane.has_line(&["app0001", "stopped"]);
    pane.shows(&["1000 apps"]);
    // The list grows at its end while answers come.
    eventually("the last instance chosen", || {
        pane.types(&["G"]);
        let text = pane.text();
        let is_last = text.lines().any(|line| line.starts_with("> ") && line.contains("web.2"));
        if is_last && text.contains("app1000") { Ok(()) } else { Err(text) }
    });
    pane.types(&["/", "app0500", "Enter"]);
    pane.has_line(&["app0500", "stopped"]);
    for change in 1..=CHANGES {
        let app = name(change % APPS + 1);
        write_status(home, &app, "web.1", ["backoff", "crashed", "stopped"][change % 3], change);
        // What a supervisor writes, and the kernel tells of.
        home.write(&format!("lib/data/scheduler-native/{app}/state"), "");
    }
    write_status(home, "app0500", "web.1", "crashed", 4_321);
    home.write("lib/data/scheduler-native/app0500/state", "");
    pane.has_line(&["web.1", "crashed", "4321"]);
    let pid = pane.property("#{pane_pid}");
    eventually("memory within its bound", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|kib| kib.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        if kib.is_some_and(|kib| kib < MOST_KIB) { Ok(()) } else { Err(format!("{kib:?} KiB")) }
    });
}

fn name(number: usize) -> String {
    format!("app{number:04}")
}

fn write_status(home: &Home, app: &str, slot: &str, state: &str, restarts: usize) {
    let status = json!({"slot": slot, "state": state, "process": null, "port": null, "since": Timestamp::now().to_string(),
        "restarts": restarts, "last_exit": null, "revision": 1, "reason": null});
    home.write(&format!("lib/data/scheduler-native/{app}/{slot}/status.json"), &status.to_string());
}
