//! `reload`: by a signal where one was set, else by new instances.

use crate::home::{Home, eventually};

/// Reads its configuration again on HUP, and waits without a child of its own.
const RELOADS: &str =
    "trap 'echo reloaded' HUP\nmkfifo wait$$\necho ready\nwhile :; do read line <>wait$$; done\n";

fn said(home: &Home, word: &str, times: usize) {
    eventually("it says so", || {
        let logs = home.does(&["ps-lifecycle", "logs", "shop"]);
        if logs.matches(word).count() == times { Ok(()) } else { Err(logs) }
    });
}

#[test]
fn a_type_with_a_reload_signal_keeps_its_processes_and_the_others_get_new_ones() {
    let home = Home::new();
    let source = home.source("shop", "web: exec sh ./reloads\nworker: exec sleep 600\n");
    home.write("shop/reloads", RELOADS);
    home.write(
        "shop/app.json",
        r#"{"formation": {"web": {"quantity": 2, "reload_signal": "HUP"}, "worker": {"quantity": 1}}}"#,
    );
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    said(&home, "ready", 2);
    let before = home.pids("shop");
    home.does(&["ps-lifecycle", "reload", "shop"]);
    said(&home, "reloaded", 2);
    let after = home.pids("shop");
    assert_eq!((after["web.1"], after["web.2"]), (before["web.1"], before["web.2"]));
    assert_ne!(after["worker.1"], before["worker.1"]);
    home.does(&["ps-lifecycle", "reload", "shop", "web.2"]);
    said(&home, "reloaded", 3);
    assert_eq!(home.pids("shop"), after);
}

#[test]
fn a_process_without_a_handler_is_not_ended_by_a_reload_and_is_named() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    home.does(&["ps-set", "shop", "reload-signal", "usr1"]);
    let before = home.pids("shop");
    let ran = home.run(&["ps-lifecycle", "reload", "shop"]);
    ran.is_refused(1, &["1 of 1 instances did not reload"]);
    let pid = before["web.1"];
    let why = format!("web.1 of shop does not reload: process {pid} has no handler for SIGUSR1");
    assert!(ran.stderr.contains(&why), "{ran:?}");
    assert_eq!(home.pids("shop"), before);
    let refused = home.run(&["ps-set", "shop", "web.reload-signal", "SIGNOPE"]);
    assert!(refused.status == Some(1) && refused.stderr.contains("SIGNOPE"), "{refused:?}");
}

#[test]
fn what_was_stopped_by_hand_is_not_started_by_a_reload() {
    let home = Home::running(
        "shop",
        "web: exec sleep 600\nworker: exec sleep 600\n",
        &["--scale", "web=2", "--scale", "worker=1"],
    );
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    let before = home.pids("shop");
    home.does(&["ps-lifecycle", "reload", "shop"]);
    let after = home.pids("shop");
    assert_eq!(after.keys().collect::<Vec<_>>(), ["web.1", "worker.1"]);
    assert!(after["web.1"] != before["web.1"] && after["worker.1"] != before["worker.1"], "{after:?}");
    home.does(&["ps-lifecycle", "stop", "shop", "worker"]);
    let ran = home.run(&["ps-lifecycle", "reload", "shop", "worker"]);
    ran.is_refused(1, &["nothing that is meant runs of shop", "ps-lifecycle start shop"]);
    assert_eq!(home.pids("shop"), after.into_iter().filter(|(slot, _)| slot == "web.1").collect());
}
