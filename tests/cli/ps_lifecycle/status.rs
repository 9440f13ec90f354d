//! `status` for people: what of it is shown, and how it was.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::home::{Home, eventually};

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";

fn home() -> Home {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2", "--scale", "worker=1"]);
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    home
}

#[test]
fn instances_are_chosen_by_state_and_a_script_gets_their_names() {
    let home = home();
    let status = |words: &[&str]| home.does(&[&["ps-lifecycle", "status"], words].concat());
    assert_eq!(status(&["-q"]), "shop web.1\nshop web.2\nshop worker.1\n");
    assert_eq!(status(&["shop", "-q", "--state", "stopped,crashed"]), "shop web.2\n");
    assert_eq!(status(&["--state", "crashed", "--json"]), "");
    assert_eq!(
        status(&["--state", "stopped", "--columns", "state,process"]),
        "STATE    PROCESS\nstopped  web.2\n"
    );
    let wide = status(&["--wide"]);
    assert!(
        wide.lines().next().is_some_and(|line| line.contains("RELEASE") && line.ends_with("NOTE")),
        "{wide}"
    );
    home.refuses(&["ps-lifecycle", "status", "--state", "dead"], 2, &["crashed"]);
    home.refuses(&["ps-lifecycle", "status", "--columns", "size"], 2, &["size"]);
    home.refuses(&["ps-lifecycle", "status", "--watch", "--json"], 2, &["--json"]);
}

#[test]
fn a_watched_status_comes_again_and_shows_what_has_changed() {
    let home = home();
    let mut watch = home.command(&["ps-lifecycle", "status", "shop", "-q", "--state", "stopped", "--watch"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("it goes on").expect("UTF-8");
    assert_eq!(next(), "shop web.2");
    home.does(&["ps-lifecycle", "stop", "shop", "worker"]);
    assert!((0..100).any(|_| next() == "shop worker.1"), "it is stopped, and not shown");
    watch.kill().expect("it lives");
    watch.wait().expect("its status");
}

#[test]
fn the_journal_says_how_it_was() {
    let home = home();
    let entries = || home.does(&["ps-lifecycle", "events", "shop", "--json"]);
    eventually("the journal says that it has ended", || {
        let entries = entries();
        if entries.contains(r#""step":"exit""#) { Ok(()) } else { Err(entries) }
    });
    let then = jiff::Timestamp::now().to_string();
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let at = |time: &str| {
        home.run(&["ps-lifecycle", "status", "shop", "--at", time, "--columns", "process,state"])
    };
    let before = at(&then);
    assert_eq!(
        (before.status, &*before.stdout),
        (Some(0), "PROCESS   STATE\nweb.1     running\nweb.2     stopped\nworker.1  running\n"),
        "{before:?}"
    );
    eventually("all have ended", || {
        let now = at("0s").stdout;
        if now.contains("running") { Err(now) } else { Ok(()) }
    });
    let first = at("2020-01-01T00:00:00Z");
    assert_eq!((first.status, &*first.stdout), (Some(1), "PROCESS  STATE\n"), "{first:?}");
    assert!(first.stderr.contains("what was before is not known"), "{first:?}");
    at("2120-01-01T00:00:00Z").is_refused(2, &["--at lies in the future"]);
}

#[test]
fn a_type_or_an_instance_may_stand_behind_the_name_of_one_app() {
    let home = home();
    let status = |words: &[&str]| home.does(&[&["ps-lifecycle", "status"], words].concat());
    assert_eq!(status(&["shop", "web", "-q"]), "shop web.1\nshop web.2\n");
    assert_eq!(status(&["shop", "web.2", "-q"]), "shop web.2\n");
    assert_eq!(status(&["shop", "web", "-q", "--state", "running"]), "shop web.1\n");
    home.refuses(&["ps-lifecycle", "status", "shop", "blog"], 20, &["blog", "does not exist"]);
    // An app of that name is meant before a type is.
    let source = home.source("worker", "web: faultapp --tick 60\n");
    home.does(&["ps-lifecycle", "deploy", "worker", "--dir", &source]);
    assert_eq!(status(&["shop", "worker", "-q"]), "shop web.1\nshop web.2\nshop worker.1\nworker web.1\n");
}
