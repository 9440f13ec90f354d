//! `after`: types that wait for each other, when they start, when they are replaced and when they end.

use rustix::process::{Signal, kill_process};

use crate::home::{Home, eventually};

/// Writes into `events` when it starts and when it ends, which takes it a while.
const SCRIPT: &str = r#"echo "+$1" >> events
trap 'sleep 0.4; echo "-$1" >> events; exit 0' TERM
while :; do sleep 0.05; done
"#;

const PROCFILE: &str = "web: exec sh ./run web\ndb: exec sh ./run db\nmigrate: exec sh ./migrate\n";

/// The migration ends by itself.
const MIGRATE: &str = "echo +migrate >> events; sleep 0.2; echo =migrate >> events\n";

/// `web` waits for a migration to be done, and that for the database to be ready.
const CHAIN: &str = r#"{"formation": {
    "web": {"quantity": 1, "after": ["db", "migrate"]},
    "migrate": {"quantity": 1, "after": ["db:ready"], "restart_policy": "no"},
    "db": {"quantity": 1}
}}"#;

/// A home with the source `shop`; its path.
fn source(home: &Home, app_json: &str) -> String {
    let source = home.source("shop", PROCFILE);
    home.write("shop/run", SCRIPT);
    home.write("shop/migrate", MIGRATE);
    home.write("shop/app.json", app_json);
    source
}

fn deployed(app_json: &str) -> (Home, String) {
    let home = Home::new();
    let source = source(&home, app_json);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    (home, source)
}

/// What has started and ended since the last time that this was asked.
fn events(home: &Home) -> Vec<String> {
    let path = home.path("shop/events");
    let lines = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    lines.lines().map(str::to_owned).collect()
}

fn note(home: &Home, slot: &str) -> String {
    let rows = home.status("shop");
    let row = rows.iter().find(|row| crate::home::slot(row) == slot).expect("it has a row");
    format!("{}: {}", row["state"].as_str().unwrap_or_default(), row["note"].as_str().unwrap_or_default())
}

/// Waits until `status` says this of a slot.
fn says(home: &Home, slot: &str, part: &str) {
    eventually(part, || match note(home, slot) {
        note if note.contains(part) => Ok(()),
        note => Err(note),
    });
}

#[test]
fn a_first_deploy_and_a_start_go_in_order_and_a_stop_goes_the_other_way() {
    let (home, _) = deployed(CHAIN);
    let up = ["+db", "+migrate", "=migrate", "+web"];
    assert_eq!(events(&home), up);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!(events(&home), ["-web", "-db"]);
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(events(&home), up);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    assert_eq!(events(&home), ["-web", "-db"]);
}

#[test]
fn after_a_power_cut_everything_comes_back_in_order() {
    let (home, _) =
        deployed(r#"{"formation": {"web": {"quantity": 2, "after": ["db"]}, "db": {"quantity": 1}}}"#);
    home.power_cut();
    // What was killed first may have been started again before its supervisor was killed.
    events(&home);
    home.does(&["ps-lifecycle", "restore", "--all"]);
    assert_eq!(events(&home), ["+db", "+web", "+web"]);
    assert_eq!(home.states("shop").into_values().collect::<Vec<_>>(), ["running"; 3]);
}

#[test]
fn an_order_in_which_something_would_never_start_is_refused_before_anything_is_touched() {
    let (home, source) = deployed(r#"{"formation": {"web": {"quantity": 1}, "db": {"quantity": 1}}}"#);
    let before = home.pids("shop");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    for (app_json, says) in [
        (r#"{"web": {"after": ["db"]}, "db": {"after": ["web:started"]}}"#, "db → web → db"),
        (r#"{"web": {"after": ["web"]}}"#, "web would wait for itself"),
        (r#"{"web": {"after": ["bd"]}}"#, "after names bd, and the app has db, migrate, web"),
        (r#"{"web": {"after": ["db:done"]}, "db": {"restart_policy": "always"}}"#, "restart-policy always"),
        (r#"{"web": {"after": ["db:up"]}}"#, "formation.web.after"),
        (r#"{"web": {"after": ["db:done"]}, "db": {"strategy": "stop-first"}}"#, "cannot be stop-first"),
    ] {
        home.write("shop/app.json", &format!(r#"{{"formation": {app_json}}}"#));
        home.run(&deploy).is_refused(1, &[says]);
    }
    for (property, value, says) in [
        ("after", "db", "is set for one process type"),
        ("web.after", "db:soon", ":started, :ready or :done"),
        ("web.after", "web", "web would wait for itself"),
    ] {
        let refused = home.run(&["ps-set", "shop", property, value]);
        assert!(refused.status == Some(1) && refused.stderr.contains(says), "{refused:?}");
    }
    home.does(&["ps-set", "shop", "web.after", "migrate"]);
    let refused = home.run(&["ps-set", "shop", "migrate.after", "web"]);
    assert!(refused.status == Some(1) && refused.stderr.contains("migrate → web → migrate"), "{refused:?}");
    assert_eq!(home.pids("shop"), before);
    assert_eq!(events(&home).len(), 2);
}

#[test]
fn the_new_release_comes_up_in_order_and_one_that_fails_touches_nothing_that_waits_for_it() {
    let (home, source) =
        deployed(r#"{"formation": {"web": {"quantity": 1, "after": ["db"]}, "db": {"quantity": 1}}}"#);
    let before = home.pids("shop");
    events(&home);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.does(&deploy);
    let seen = events(&home);
    // Each trial, then each move.
    let starts: Vec<&str> = seen.iter().filter(|event| event.starts_with('+')).map(String::as_str).collect();
    assert_eq!(starts, ["+db", "+web", "+db", "+web"], "{seen:?}");
    let now = home.pids("shop");
    assert!(now["web.1"] != before["web.1"] && now["db.1"] != before["db.1"]);
    home.write("shop/Procfile", "web: exec sh ./run web\ndb: exit 3\nmigrate: exec sh ./migrate\n");
    home.run(&deploy).is_refused(1, &["db.1", "exit status 3"]);
    assert_eq!((home.pids("shop"), events(&home)), (now, vec![]));
}

#[test]
fn a_migration_runs_once_in_a_deploy_before_what_waits_for_it_and_one_that_fails_fails_the_deploy() {
    let (home, source) = deployed(CHAIN);
    events(&home);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.does(&deploy);
    let seen = events(&home);
    let begin: Vec<&str> = seen.iter().map(String::as_str).filter(|event| !event.starts_with('-')).collect();
    assert_eq!(begin[..4], ["+db", "+migrate", "=migrate", "+web"], "{seen:?}");
    assert_eq!(seen.iter().filter(|event| *event == "+migrate").count(), 1, "{seen:?}");
    let before = home.pids("shop");
    home.write("shop/migrate", "echo no such table >&2; exit 4\n");
    let failed = home.run(&deploy);
    assert!(failed.status == Some(1) && failed.stderr.contains("migrate.1 of shop ended"), "{failed:?}");
    assert!(failed.stderr.contains("exit status 4") && failed.stderr.contains("no such table"), "{failed:?}");
    assert_eq!(home.pids("shop"), before);
    assert!(!events(&home).contains(&"+web".to_owned()));
}

#[test]
fn what_waits_for_one_that_was_given_up_says_so_and_starts_once_nobody_wants_that_one() {
    let (home, _) = deployed(
        r#"{"formation": {"web": {"quantity": 1, "after": ["db:ready"]}, "db": {"quantity": 1, "restart_policy": "no"}}}"#,
    );
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.write("shop/run", &format!("test $1 = db && exit 5\n{SCRIPT}"));
    home.run(&["ps-lifecycle", "start", "shop"]).is_refused(1, &["db.1", "exit status 5"]);
    says(&home, "web.1", "waiting: waits for db to be ready, and db.1 was given up");
    let text = home.run(&["ps-lifecycle", "status", "shop"]);
    assert!(text.stdout.contains("waiting") && text.stderr.contains("waits for db to be ready"), "{text:?}");
    home.run(&["ps-lifecycle", "start", "shop", "web.1"])
        .is_refused(1, &["web.1", "waits for db to be ready, and db.1 was given up"]);
    events(&home);
    home.does(&["ps-lifecycle", "stop", "shop", "db"]);
    says(&home, "web.1", "running: it waited for nothing of db");
    assert_eq!(events(&home), ["+web"]);
}

#[test]
fn what_waits_for_the_end_of_a_service_is_warned_of_and_says_why_that_does_not_come() {
    let home = Home::new();
    let source = source(
        &home,
        r#"{"formation": {"web": {"quantity": 1, "after": ["db:done"]}, "db": {"quantity": 1}}}"#,
    );
    home.write("shop/run", &format!("test $1 = db && ! test -e stay && exit 0\n{SCRIPT}"));
    let said = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]).stderr;
    assert!(said.contains("web starts only when db has ended by itself with success"), "{said}");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.write("shop/stay", "");
    let mut start = home.start(&["ps-lifecycle", "start", "shop"]);
    let part = "waits for db to be done, and db.1 runs: that comes only if it ends by itself";
    says(&home, "web.1", part);
    let explained = home.run(&["ps-explain", "shop"]);
    assert!(explained.stdout.contains("waits for db to be done, and db.1 runs"), "{explained:?}");
    start.signal(Signal::INT);
    start.ended();
}

#[test]
fn one_type_that_is_stopped_or_dies_leaves_those_that_wait_for_it_alone() {
    let (home, _) =
        deployed(r#"{"formation": {"web": {"quantity": 1, "after": ["db"]}, "db": {"quantity": 1}}}"#);
    let before = home.pids("shop");
    let db = i32::try_from(before["db.1"]).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    kill_process(db, Signal::KILL).expect("it is ours");
    eventually("it is back", || match home.pids("shop") {
        pids if pids.get("db.1").is_some_and(|pid| *pid != before["db.1"]) => Ok(()),
        pids => Err(format!("{pids:?}")),
    });
    home.does(&["ps-lifecycle", "stop", "shop", "db"]);
    assert_eq!(home.pids("shop").get("web.1"), before.get("web.1"));
}

#[test]
fn what_waits_goes_on_waiting_when_the_supervisor_dies_and_starts_without_anybody_asking() {
    let home = Home::new();
    let source = source(&home, "");
    let checks = r#"[{"type": "startup", "command": ["test", "-e", "ok"], "attempts": 1000, "wait": 1}]"#;
    let formation = r#"{"web": {"quantity": 1, "after": ["db"]}, "db": {"quantity": 1}}"#;
    home.write(
        "shop/app.json",
        &format!(r#"{{"formation": {formation}, "healthchecks": {{"db": {checks}}}}}"#),
    );
    home.write("shop/ok", "");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    std::fs::remove_file(home.path("shop/ok")).expect("it is there");
    let mut start = home.start(&["ps-lifecycle", "start", "shop"]);
    says(&home, "web.1", "waiting: waits for db to be ready");
    let db = home.pids("shop")["db.1"];
    let supervisors = home.supervisors();
    for supervisor in &supervisors {
        kill_process(*supervisor, Signal::KILL).expect("it is ours");
    }
    start.signal(Signal::KILL);
    start.ended();
    eventually("another supervisor lives", || match home.supervisors() {
        now if !now.is_empty() && now.iter().all(|pid| !supervisors.contains(pid)) => Ok(()),
        now => Err(format!("{now:?}")),
    });
    says(&home, "web.1", "waiting: waits for db to be ready");
    events(&home);
    home.write("shop/ok", "");
    says(&home, "web.1", "running");
    assert_eq!(events(&home), ["+web"]);
    assert_eq!(home.pids("shop")["db.1"], db);
}
