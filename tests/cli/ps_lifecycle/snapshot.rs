//! `snapshot`: a named state is what it was when it comes back, and what needs no change is not touched.

use std::fs;

use crate::home::{Home, table};

const TWO: &str = "web: exec sleep 600\nworker: exec sleep 600\n";

/// `shop` with web=2 and a worker that was stopped, and `idle`, which was stopped whole.
fn two_apps() -> Home {
    let home = Home::running("shop", TWO, &["--scale", "web=2", "worker=1"]);
    home.does(&["ps-lifecycle", "stop", "shop", "worker.1"]);
    let source = home.source("idle", "web: exec sleep 601\n");
    home.does(&["ps-lifecycle", "deploy", "idle", "--dir", &source]);
    home.does(&["ps-lifecycle", "stop", "idle"]);
    home.does(&["ps-lifecycle", "snapshot", "save", "calm"]);
    home
}

/// No app is left of a home that ends, and neither are its snapshots.
fn forget(home: &Home) {
    fs::remove_dir_all(home.path("lib/data/formation-snapshots")).expect("snapshots");
}

#[test]
fn a_state_comes_back_release_and_formation_and_stops_and_what_is_right_is_not_touched() {
    let home = two_apps();
    let saved = (home.states("shop"), home.states("idle"));
    let pids = home.pids("shop");
    home.does(&["ps-lifecycle", "snapshot", "restore", "calm"]);
    assert_eq!(home.pids("shop"), pids, "nothing was to be done");
    // Another release, other counts, another stop, a start.
    home.write("shop/Procfile", "web: exec sleep 700\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--scale", "web=1"]);
    home.does(&["ps-lifecycle", "stop", "shop", "web.1"]);
    home.does(&["ps-lifecycle", "start", "idle"]);
    home.does(&["ps-lifecycle", "snapshot", "restore", "calm"]);
    assert_eq!((home.states("shop"), home.states("idle")), saved);
    let commands: Vec<String> = home.processes().into_iter().map(|(_, words)| words).collect();
    let count = |words: &str| commands.iter().filter(|command| command.trim() == words).count();
    assert_eq!((count("sleep 600"), count("sleep 700"), count("sleep 601")), (2, 0, 0), "{commands:?}");
    // It is what a reboot brings back as well.
    home.power_cut();
    home.does(&["ps-lifecycle", "restore", "--all"]);
    assert_eq!((home.states("shop"), home.states("idle")), saved);
    forget(&home);
}

#[test]
fn counts_alone_are_put_back_without_a_new_process_for_what_runs() {
    let home = two_apps();
    let before = home.pids("shop");
    home.does(&["ps-scale", "shop", "web=1"]);
    home.does(&["ps-lifecycle", "snapshot", "restore", "calm", "shop"]);
    let now = home.pids("shop");
    assert_eq!(now["web.1"], before["web.1"]);
    let states = table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "stopped")]);
    assert_eq!(home.states("shop"), states);
    forget(&home);
}

#[test]
fn what_cannot_come_back_is_named_and_the_others_do() {
    let home = two_apps();
    home.does(&["ps-lifecycle", "destroy", "idle"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let later = home.source("later", "web: exec sleep 602\n");
    home.does(&["ps-lifecycle", "deploy", "later", "--dir", &later]);
    let ran = home.run(&["ps-lifecycle", "snapshot", "restore", "calm"]);
    ran.is_refused(1, &["1 of 2 apps are not restored"]);
    assert!(ran.stderr.contains("idle: app idle does not exist"), "{ran:?}");
    assert!(ran.stderr.contains("later is not in the snapshot and stays as it is"), "{ran:?}");
    assert_eq!(home.states("shop")["web.2"], "running");
    assert_eq!(home.states("later")["web.1"], "running");
    forget(&home);
}

#[test]
fn snapshots_are_listed_shown_kept_from_being_overwritten_and_deleted() {
    let home = two_apps();
    let snapshot = |words: &[&str]| home.run(&[&["ps-lifecycle", "snapshot"][..], words].concat());
    let rows = snapshot(&["show", "calm", "--json"]).rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["app"], &rows[0]["wanted"], &rows[0]["release"]),
        (&"idle".into(), &false.into(), &1.into())
    );
    assert_eq!(rows[1]["formation"], serde_json::json!({"web": 2, "worker": 1}));
    assert_eq!(rows[1]["stopped"], serde_json::json!(["worker.1"]));
    assert!(snapshot(&["show", "calm"]).stdout.contains("web=2 worker=1 (stopped: worker.1)"));
    assert_eq!(snapshot(&["list", "--json"]).rows()[0]["apps"], serde_json::json!(["idle", "shop"]));
    let refuses = |words: &[&str], says: &[&str]| {
        home.refuses(&[&["ps-lifecycle", "snapshot"][..], words].concat(), 1, says);
    };
    refuses(&["save", "calm"], &["a snapshot called calm exists already", "--replace"]);
    refuses(&["save", "../calm"], &["../calm", "no name for a snapshot"]);
    refuses(&["restore", "clam"], &["no snapshot is called clam", "there is calm"]);
    refuses(&["restore", "calm", "nope"], &["holds no app called nope"]);
    refuses(&["show", "clam"], &["clam"]);
    assert_eq!(snapshot(&["save", "calm", "shop", "--replace"]).status, Some(0));
    assert_eq!(snapshot(&["show", "calm", "--json"]).rows().len(), 1);
    fs::write(home.path("lib/data/formation-snapshots/torn.json"), "{").expect("written");
    let listed = snapshot(&["list"]);
    assert!(
        listed.status == Some(1) && listed.stdout.contains("calm") && listed.stderr.contains("torn.json"),
        "{listed:?}"
    );
    assert_eq!(snapshot(&["delete", "calm"]).status, Some(0));
    refuses(&["show", "calm"], &["calm"]);
    forget(&home);
}
