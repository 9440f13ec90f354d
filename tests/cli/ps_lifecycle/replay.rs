//! What was decided in a real run is decided again from what is recorded of it, byte for byte.

use ps_supervisor::{Replayed, recorded, replay};
use rustix::process::{Signal, kill_process};

use crate::home::{Home, eventually};

const PROCFILE: &str = "web: exec sleep 600\nworker: if [ -e well ]; then exec sleep 600; fi; exit 3\n";

/// The record of the app with one word changed in one line; the line must be there.
fn changed(record: &str, mark: &str, from: &str, to: &str) -> String {
    let line = record.lines().find(|line| line.contains(mark) && line.contains(from));
    let line = line.unwrap_or_else(|| panic!("no line has {mark:?} and {from:?}:\n{record}"));
    record.replacen(line, &line.replacen(from, to, 1), 1)
}

/// Starts, a crash loop, rollouts that succeed, fail and are taken over, orders, and the death of a supervisor.
fn lived_through(home: &Home) {
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    home.does(&["ps-lifecycle", "start", "shop", "web.2"]);
    home.write("shop/well", "");
    eventually("the worker is well", || {
        let states = home.states("shop");
        if states["worker.1"] == "running" { Ok(()) } else { Err(format!("{states:?}")) }
    });
    home.does(&["ps-lifecycle", "restart", "shop"]);
    home.source("shop", &PROCFILE.replace("web: exec sleep 600", "web: exit 7"));
    let failed = home.run(&["ps-lifecycle", "deploy", "shop"]);
    assert_eq!(failed.status, Some(1), "{failed:?}");
    for supervisor in home.supervisors() {
        kill_process(supervisor, Signal::KILL).expect("it lives");
    }
    home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    home.does(&["ps-scale", "shop", "web=1"]);
}

#[test]
fn what_tables_and_rollouts_decided_is_decided_again_byte_for_byte() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.run(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--scale",
        "web=2",
        "--scale",
        "worker=1",
    ]);
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--scale",
        "web=2",
        "--scale",
        "worker=0",
    ]);
    home.run(&["ps-scale", "shop", "worker=1"]);
    lived_through(&home);
    let record = recorded(&home.path("lib/data/scheduler-native/shop")).expect("readable");
    let replayed = replay(&record).unwrap_or_else(|otherwise| panic!("{otherwise}"));
    let Replayed { seats, runs, steps, without_beginning, unreadable } = replayed;
    faults::note(&format!("decided again: {seats} of seats, {runs} of runs, {steps} of rollouts"));
    assert!(seats > 30 && runs > 30 && steps > 30, "{replayed:?}");
    assert_eq!((without_beginning, unreadable), (0, 0), "{record}");

    // Had one of them been another one, or been made from something else, that would be seen.
    for (mark, from, to) in [
        (r#""of":"seat""#, r#""action":"fill""#, r#""action":"end""#),
        (r#""of":"run""#, r#"["starting","nothing"]"#, r#"["ready","nothing"]"#),
        (r#""of":"step""#, r#"[{"commit":"#, r#"[{"put_back":"#),
        (r#""of":"step""#, r#""event":{"ready":"#, r#""event":{"ended":"#),
    ] {
        let other = changed(&record, mark, from, to);
        assert!(replay(&other).is_err(), "{from} became {to}, and nobody saw it");
    }
}
