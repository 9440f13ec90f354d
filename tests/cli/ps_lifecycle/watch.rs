//! `watch-paths`: a change of files restarts what watches them, once, and a broken change costs nothing that runs.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::home::{Home, eventually};

/// An app whose `web` runs the script `run` and watches the whole directory, and whose `worker` watches nothing.
fn watching(app_json: &str) -> Home {
    let home = Home::new();
    let source = home.source("shop", "web: exec sh ./run\nworker: exec sleep 600\n");
    home.write("shop/run", "echo one; exec sleep 600\n");
    home.write("shop/app.json", app_json);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home
}

const ALL: &str = r#"{"formation": {"web": {"quantity": 1, "watch_paths": ["."], "watch_ignore": ["*.tmp", "data/"]}, "worker": {"quantity": 1}}}"#;

/// The supervisor of the app: what its command line ends with is its directory.
fn supervisor(home: &Home) -> Pid {
    let is_it = |words: &str| words.contains("ps-supervise") && words.contains("scheduler-native/shop");
    home.processes().into_iter().find(|(_, words)| is_it(words)).expect("it lives").0
}

fn note(home: &Home) -> String {
    home.status("shop")[0]["note"].as_str().unwrap_or_default().to_owned()
}

/// Waits until another process runs, and the note of `web.1` says why. A process is replaced twice in one restart and the note
/// is written at its end, so each restart of a test needs a reason of its own.
fn started_anew(home: &Home, before: u64, why: &str) -> u64 {
    eventually("another process runs", || {
        let (pids, note) = (home.pids("shop"), note(home));
        match pids.get("web.1") {
            Some(pid) if *pid != before && note.contains(why) => Ok(*pid),
            _ => Err(format!("{pids:?} {note:?}")),
        }
    })
}

#[test]
fn a_change_starts_anew_what_watches_it_and_says_which_file_it_was() {
    let home = watching(ALL);
    let before = home.pids("shop");
    home.write("shop/run", "echo two; exec sleep 600\n");
    let now = started_anew(&home, before["web.1"], "started anew: run changed");
    assert_eq!(home.pids("shop")["worker.1"], before["worker.1"]);
    assert!(home.does(&["ps-lifecycle", "logs", "shop", "web"]).contains("two"));
    // In a directory that is made afterwards.
    home.write("shop/lib/deep/x.sh", "1");
    started_anew(&home, now, "lib/deep/x.sh changed");
}

#[test]
fn a_path_that_is_not_there_yet_is_named_at_the_first_deploy_and_keeps_nothing_else_from_being_watched() {
    let home = watching(r#"{"formation": {"web": {"quantity": 1, "watch_paths": ["later/deep", "run"]}}}"#);
    let before = home.pids("shop")["web.1"];
    assert!(note(&home).contains("later/deep is not there yet"), "{:?}", note(&home));
    home.write("shop/run", "echo two; exec sleep 600\n");
    let now = started_anew(&home, before, "run changed");
    home.write("shop/later/deep/x", "1");
    started_anew(&home, now, "later/deep/x changed");
}

#[test]
fn a_directory_that_was_replaced_by_another_of_its_name_is_watched_after_the_next_verb() {
    let home = watching(ALL);
    home.write("shop/src/x.js", "1");
    let before = started_anew(&home, home.pids("shop")["web.1"], "src/x.js changed");
    // Within the directory it is noticed without any verb.
    fs::remove_dir_all(home.path("shop/src")).expect("removed");
    let before = started_anew(&home, before, "and others changed");
    home.write("shop/src/y.js", "1");
    started_anew(&home, before, "src/y.js changed");
    fs::rename(home.path("shop"), home.path("shop.old")).expect("renamed");
    for file in ["Procfile", "run", "app.json"] {
        let text = fs::read_to_string(home.path("shop.old").join(file)).expect("read");
        home.write(&format!("shop/{file}"), &text);
    }
    home.does(&["ps-lifecycle", "restart", "shop"]);
    let before = home.pids("shop")["web.1"];
    home.write("shop/run", "echo three; exec sleep 600\n");
    started_anew(&home, before, "run changed");
}

#[test]
fn what_is_ignored_starts_nothing_anew_and_a_storm_does_so_once() {
    let home = watching(ALL);
    let before = home.pids("shop")["web.1"];
    for file in ["web.log", ".git/index", "x.tmp", "data/a/b", "node_modules/y/z.js", "log/web"] {
        home.write(&format!("shop/{file}"), "1");
    }
    for number in 0..500 {
        home.write(&format!("shop/src/{number}.js"), "1");
    }
    let now = started_anew(&home, before, "and others changed");
    let runs = |home: &Home| home.does(&["ps-lifecycle", "logs", "shop", "web"]).matches("one").count();
    // One-by-one: the trial, then the one on its own port.
    let after_one = runs(&home);
    assert!(after_one <= 3, "{after_one}");
    // Nothing comes after it. That is seen by a change that is answered later.
    home.write("shop/run", "echo last; exec sleep 600\n");
    started_anew(&home, now, "run changed");
    assert_eq!(runs(&home), after_one);
}

#[test]
fn a_broken_change_leaves_what_runs_and_the_next_good_one_is_taken() {
    let home = watching(ALL);
    let before = home.pids("shop");
    home.write("shop/run", "exit 3\n");
    eventually("it is said", || {
        let note = note(&home);
        let is_said = note.starts_with("run changed, but web.1 did not come up")
            && note.ends_with("what ran before runs on");
        if is_said { Ok(()) } else { Err(note) }
    });
    assert_eq!(home.pids("shop"), before);
    home.write("shop/run", "echo good; exec sleep 600\n");
    started_anew(&home, before["web.1"], "started anew: run changed");
    // A verb afterwards has nothing to put back.
    home.does(&["ps-lifecycle", "restart", "shop", "web"]);
}

#[test]
fn nothing_is_watched_where_nobody_asked_and_what_cannot_be_watched_is_said() {
    let home = watching(r#"{"formation": {"web": {"quantity": 1}, "worker": {"quantity": 1}}}"#);
    let before = home.pids("shop");
    let supervisor = supervisor(&home);
    let inotify = || {
        let fds = fs::read_dir(format!("/proc/{}/fd", supervisor.as_raw_nonzero())).expect("its descriptors");
        let target = |fd: fs::DirEntry| fs::read_link(fd.path()).ok();
        fds.flatten().filter_map(target).filter(|target| target.to_string_lossy().contains("inotify")).count()
    };
    assert_eq!(inotify(), 0);
    home.write("shop/run", "echo two; exec sleep 600\n");
    home.does(&["ps-set", "shop", "web.watch-paths", "nope"]);
    home.does(&["ps-lifecycle", "restart", "shop", "worker"]);
    let said = note(&home);
    assert!(said.contains("watch-paths: nope") && said.contains("No such file"), "{said}");
    assert_eq!(home.pids("shop")["web.1"], before["web.1"]);
    home.does(&["ps-set", "shop", "web.watch-paths", "run"]);
    home.does(&["ps-lifecycle", "restart", "shop", "worker"]);
    assert_eq!(inotify(), 1);
    let refused = home.run(&["ps-set", "shop", "watch-paths", "../x"]);
    assert!(refused.status == Some(1) && refused.stderr.contains("watch-paths"), "{refused:?}");
}

#[test]
fn an_idle_supervisor_that_watches_is_never_woken() {
    let home = watching(ALL);
    let supervisor = supervisor(&home);
    let switches = || {
        let status =
            fs::read_to_string(format!("/proc/{}/status", supervisor.as_raw_nonzero())).expect("a status");
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"))
            .expect("a line")
            .to_owned();
        line.split_whitespace().last().expect("a number").parse::<u64>().expect("a number")
    };
    // It may have something to finish first.
    let began = Instant::now();
    let mut before = switches();
    while began.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_secs(2));
        let now = switches();
        if now == before {
            return;
        }
        before = now;
    }
    panic!("it is woken again and again: {before}");
}

#[test]
fn watch_delay_is_how_long_nothing_must_have_changed() {
    let home = Home::new();
    let source = home.source("shop", "web: exec sleep 600\nworker: exec sleep 600\n");
    home.write("shop/seen", "one");
    home.write(
        "shop/app.json",
        r#"{"formation": {"web": {"quantity": 1, "watch_paths": ["seen"], "watch_delay": "1d"},
            "worker": {"quantity": 1, "watch_paths": ["seen"], "watch_delay": "50ms"}}}"#,
    );
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let first = home.pids("shop");
    let mut before = first["worker.1"];
    for text in ["two", "three"] {
        home.write("shop/seen", text);
        before = eventually("worker is started anew", || {
            let pids = home.pids("shop");
            let is_settled = home.status("shop").iter().all(|row| row["role"] == "current");
            match pids.get("worker.1") {
                Some(pid) if *pid != before && is_settled => Ok(*pid),
                _ => Err(format!("{pids:?}")),
            }
        });
    }
    assert_eq!(home.pids("shop")["web.1"], first["web.1"]);
    assert_ne!(before, first["worker.1"]);
}
