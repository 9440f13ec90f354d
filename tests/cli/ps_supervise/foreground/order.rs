//! What app.json says with `after`: types start one after the other, and end in the opposite order.

use std::fs;

use rustix::process::Signal;

use super::Source;

/// A service that says when it is told to end, and ends at once.
const DB: &str = "trap 'echo db ends; exit 0' TERM; echo db up; while :; do sleep 0.05; done";

fn source(procfile: &str, formation: &str) -> Source {
    Source::new(procfile).file("app.json", &format!(r#"{{"formation": {formation}}}"#))
}

/// Where each of these words first stands in a text, in this order.
fn stand_in_order(text: &str, words: &[&str]) {
    let places: Vec<Option<usize>> = words.iter().map(|word| text.find(word)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{words:?} {places:?} in {text}");
}

#[test]
fn a_type_starts_once_those_that_it_waits_for_are_ready_and_done_and_what_it_waits_for_is_said() {
    let source = source(
        &format!("web: echo web up; exec sleep 1000\nmigrate: echo migrated\ndb: {DB}\n"),
        r#"{"web": {"quantity": 2, "after": ["db", "migrate"]}, "migrate": {"quantity": 1, "after": ["db"], "restart_policy": "no"}, "db": {"quantity": 1}}"#,
    );
    let running = source.start(&["--no-color"]);
    running.await_err("web.1     | waits for db to be ready and for migrate to be done\n");
    running.await_err("web.2     | waits for db to be ready and for migrate to be done\n");
    running.await_err("migrate.1 | waits for db to be ready\n");
    running.await_out("web.1     | web up");
    running.await_out("web.2     | web up");
    running.signal(Signal::INT);
    let ended = running.end();
    stand_in_order(&ended.text(), &["db up", "migrated", "web up"]);
    stand_in_order(
        &ended.err,
        &["db.1      | started", "migrate.1 | ended with status 0", "web.1     | started"],
    );
    assert!(ended.err.contains("web.1     | waits for migrate to be done\n"), "{}", ended.err);
    assert_eq!(ended.err.matches("migrate.1 | started").count(), 1, "it runs once: {}", ended.err);
    assert_eq!(ended.code(), 0, "{}", ended.err);
}

#[test]
fn ctrl_c_ends_first_what_depends_on_others() {
    // Each second one takes its time: nothing it depends on is told before it has ended, which is after its line is read.
    let web =
        "trap 'sleep 0.5; echo web ends; sleep 0.2; exit 0' TERM; echo web up; while :; do sleep 0.05; done";
    let source = source(
        &format!("db: {DB}\nweb: {web}\nworker: {}\n", web.replace("web", "worker")),
        r#"{"web": {"quantity": 1, "after": ["db:started"]}, "db": {"quantity": 1}, "worker": {"quantity": 1, "after": ["web:started"]}}"#,
    );
    let running = source.start(&[]);
    for up in ["db up", "web up", "worker up"] {
        running.await_out(up);
    }
    running.signal(Signal::INT);
    let ended = running.end();
    stand_in_order(&ended.text(), &["worker ends", "web ends", "db ends"]);
    assert!(ended.err.contains("SIGINT: ending, waiting for db.1"), "{}", ended.err);
    assert_eq!(ended.code(), 0, "{}", ended.err);
}

#[test]
fn the_second_interrupt_kills_what_was_not_told_to_end_yet() {
    let web = "trap '' TERM INT; echo web up; while :; do sleep 0.05; done";
    let source = source(
        &format!("db: {DB}\nweb: {web}\n"),
        r#"{"web": {"quantity": 1, "after": ["db:started"]}, "db": {"quantity": 1}}"#,
    );
    let running = source.start(&["-t", "600"]);
    running.await_out("web up");
    running.signal(Signal::INT);
    running.await_err("SIGINT: ending, waiting for db.1");
    std::thread::sleep(std::time::Duration::from_millis(200));
    running.signal(Signal::INT);
    let ended = running.end();
    assert!(
        ended.err.contains("killing db.1 (pid ") && ended.err.contains("web.1 | ended by SIGKILL"),
        "{}",
        ended.err
    );
    assert_eq!(ended.code(), 130, "{}", ended.err);
}

#[test]
fn what_waits_for_a_type_that_failed_for_good_is_not_started_and_nothing_hangs() {
    let formation = r#"{"web": {"quantity": 1, "after": ["migrate"]}, "migrate": {"quantity": 1, "restart_policy": "no"}, "late": {"quantity": 1, "after": ["web"]}}"#;
    for (migrate, code) in [("exit 3", 3), ("nosuchthing 2>/dev/null", 127)] {
        let ended = source(&format!("late: echo late up\nweb: echo web up\nmigrate: {migrate}\n"), formation)
            .run(&["--no-color"]);
        assert_eq!((ended.text().as_str(), ended.code()), ("", code), "{}", ended.err);
        assert!(
            ended.err.contains(
                "web.1     | was not started: it waits for migrate to be done, and migrate.1 was given up\n"
            ),
            "{}",
            ended.err
        );
        assert!(
            ended.err.contains("late.1    | was not started: it waits for web to be ready\n"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn an_interrupt_starts_nothing_of_what_still_waits() {
    let db = "until [ -e go ]; do sleep 0.02; done; exec sleep 1000";
    let checks = r#"{"formation": {"web": {"quantity": 1, "after": ["db"]}, "late": {"quantity": 1, "after": ["web:started"]}},
        "healthchecks": {"db": [{"type": "startup", "command": ["test", "-e", "go"], "attempts": 1000, "wait": 1}]}}"#;
    let source =
        Source::new(&format!("late: echo late up\nweb: echo web up\ndb: {db}\n")).file("app.json", checks);
    let running = source.start(&["-m", "all=1"]);
    running.await_err("web.1  | waits for db to be ready\n");
    running.await_err("late.1 | waits for web to have started\n");
    running.signal(Signal::TERM);
    fs::write(source.path().join("go"), "").expect("written");
    let ended = running.end();
    assert_eq!((ended.text().as_str(), ended.code()), ("", 0), "{}", ended.err);
    assert!(!ended.err.contains("was not started"), "it was told to end: {}", ended.err);
}

#[test]
fn what_waits_at_an_interrupt_is_not_started_while_others_take_their_time_to_end() {
    let late = "trap 'until [ -e go ]; do sleep 0.05; done; exit 0' TERM; echo late up; while :; do sleep 0.05; done";
    let app_json = r#"{"formation": {"db": {"quantity": 1}, "web": {"quantity": 1, "after": ["db"]}, "late": {"quantity": 1, "after": ["web:started"]}},
        "healthchecks": {"db": [{"type": "startup", "command": ["test", "-e", "ready"], "attempts": 1000, "wait": 1}]}}"#;
    let procfile = format!("db: exec sleep 1000\nweb: echo web up; exec sleep 1000\nlate: {late}\n");
    let source = Source::new(&procfile).file("app.json", app_json).file("ready", "").file("watched", "1");
    let running = source.start(&["--watch=watched", "-t", "600", "--no-color"]);
    running.await_out("late up");
    fs::remove_file(source.path().join("ready")).expect("it is ours");
    fs::write(source.path().join("watched"), "2").expect("written");
    running.await_err_times("web.1  | waits for db to be ready\n", 2);
    running.await_err_times("db.1   | started with pid", 2);
    running.signal(Signal::INT);
    running.await_err("SIGINT: ending");
    fs::write(source.path().join("ready"), "").expect("written");
    // Nothing that runs needs db, so it ends although late does not yet.
    running.await_err_times("db.1   | ended", 2);
    fs::write(source.path().join("go"), "").expect("written");
    let ended = running.end();
    assert_eq!((ended.text().matches("web up").count(), ended.code()), (1, 0), "{}", ended.err);
}

#[test]
fn a_type_that_is_run_alone_waits_for_nobody() {
    let formation = r#"{"web": {"quantity": 1, "after": ["db"]}, "db": {"quantity": 1}}"#;
    let ended = source("web: echo web up\ndb: echo db up\n", formation).run(&["web"]);
    assert_eq!((ended.lines(), ended.code()), (vec!["web up".to_owned()], 0), "{}", ended.err);
}

#[test]
fn an_order_in_which_something_would_never_start_is_refused_with_its_place() {
    for (formation, said) in [
        (
            r#"{"web": {"quantity": 1, "after": ["db"]}, "db": {"quantity": 1, "after": ["web:started"]}}"#,
            "app.json: formation.db: after leads round in a circle, db → web → db",
        ),
        (
            r#"{"web": {"quantity": 1, "after": ["bd"]}, "db": {"quantity": 1}}"#,
            "app.json: formation.web: after names bd, and the app has db, web",
        ),
        (
            r#"{"web": {"quantity": 1, "after": ["web"]}}"#,
            "app.json: formation.web: web would wait for itself",
        ),
        (
            r#"{"web": {"quantity": 1, "after": ["db:done"]}, "db": {"quantity": 1, "restart_policy": "always"}}"#,
            "app.json: formation.web: after waits for db to be done, and it is started again whenever it ends",
        ),
        (
            r#"{"web": {"quantity": 1, "after": ["db"]}, "db": {"quantity": 1, "schedule": "@daily"}}"#,
            "app.json: formation.web: after names db, which has a schedule",
        ),
        (
            r#"{"web": {"quantity": 1, "after": ["db"], "schedule": "@daily"}, "db": {"quantity": 1}}"#,
            "app.json: formation.web: it has a schedule",
        ),
    ] {
        let ended = source("web: echo web up\ndb: echo db up\n", formation).run(&[]);
        assert!(ended.err.contains(said), "{said}: {}", ended.err);
        assert_eq!(
            (ended.code(), ended.text().as_str(), ended.err.lines().count()),
            (1, "", 1),
            "{}",
            ended.err
        );
    }
}
