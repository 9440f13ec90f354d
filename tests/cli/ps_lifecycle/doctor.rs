//! `doctor`: what it finds on a machine that is well, what it finds where something is amiss, and what it gives away to those who help.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::home::{Home, kill};
use crate::schema;

const PROCFILE: &str = "web: faultapp --tick 60\n";

/// What was found, one row each, held to the schema.
fn rows(home: &Home, variables: &[(&str, &str)]) -> (Vec<Value>, i32) {
    let ran = home.command(&["ps-lifecycle", "doctor", "--json"]).envs(variables.iter().copied()).output();
    let ran = ran.expect("it runs");
    let wanted = serde_json::from_str(include_str!("../../../docs/schemas/ps-lifecycle-doctor.json"));
    let wanted: Value = wanted.expect("JSON");
    let rows: Vec<Value> = String::from_utf8(ran.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    for row in &rows {
        assert_eq!(schema::complaints(&wanted, row), [""; 0], "{row}");
        assert_eq!(row["verdict"] == "pass", row["cure"].is_null(), "{row}");
    }
    (rows, ran.status.code().expect("it ended by itself"))
}

fn row<'a>(rows: &'a [Value], check: &str) -> &'a Value {
    rows.iter().find(|row| row["check"] == check).unwrap_or_else(|| panic!("no {check} in {rows:?}"))
}

#[test]
fn every_check_has_a_row_and_nothing_is_changed_or_started() {
    let home = Home::new();
    let before = home.state();
    let (rows, _) = rows(&home, &[]);
    for check in [
        "kernel",
        "processes",
        "limits",
        "descriptors",
        "inotify",
        "ports",
        "roots",
        "disk",
        "programs",
        "supervisors",
        "root-process",
        "certificates",
        "engine",
        "boot",
    ] {
        row(&rows, check);
    }
    home.is_as(&before);
    assert_eq!(home.processes(), []);
    let text = home.run(&["ps-lifecycle", "doctor"]).stdout;
    assert!(text.lines().any(|line| line.starts_with("pass  kernel ")), "{text}");
    assert!(text.ends_with("could be better\n"), "{text}");
}

#[test]
fn an_app_that_cannot_be_read_fails_the_check_that_needs_it_and_keeps_no_other_from_being_made() {
    let home = Home::new();
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &home.source("shop", PROCFILE),
        "--listen",
        "none",
    ]);
    let selected = home.path("lib/config/scheduler/shop/selected");
    let before = fs::read(&selected).expect("it was written");
    fs::remove_file(&selected).expect("it is ours");
    fs::create_dir(&selected).expect("nobody can read that");
    let (found, status) = rows(&home, &[]);
    assert_eq!(status, 1);
    let engine = row(&found, "engine");
    assert_eq!(engine["verdict"], "fail", "{engine}");
    assert!(engine["found"].as_str().expect("text").contains("shop/selected"), "{engine}");
    assert_eq!(row(&found, "supervisors")["verdict"], "pass");
    row(&found, "boot");
    fs::remove_dir(&selected).expect("it is empty");
    fs::write(&selected, before).expect("put back, so that the app can be destroyed");
}

#[test]
fn a_supervisor_that_is_dead_or_hangs_is_named_with_the_verb_that_helps() {
    let home = Home::running("shop", PROCFILE, &[]);
    let found = |check: &str| row(&rows(&home, &[]).0, check).clone();
    assert_eq!(found("supervisors")["verdict"], "pass");
    assert_eq!(found("root-process")["verdict"], "pass");
    home.without_root();
    assert_eq!(found("root-process")["verdict"], "warn");
    let pid = home.supervisors()[0];
    kill_process(pid, Signal::STOP).expect("it lives");
    let hangs = found("supervisors");
    assert_eq!((hangs["verdict"].as_str(), rows(&home, &[]).1), (Some("fail"), 1), "{hangs}");
    kill(pid);
    let dead = found("supervisors");
    assert_eq!(
        (&dead["verdict"], &dead["cure"]),
        (&"warn".into(), &"ps-lifecycle start shop".into()),
        "{dead}"
    );
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(found("supervisors")["verdict"], "pass");
}

#[test]
fn an_engine_that_is_away_fails_only_where_an_app_needs_it() {
    let home = Home::running("shop", PROCFILE, &[]);
    let away = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    assert_eq!(row(&rows(&home, &away).0, "engine")["verdict"], "pass");
    fs::create_dir_all(home.path("home/box")).expect("an app");
    fs::create_dir_all(home.path("lib/config/scheduler/box")).expect("its properties");
    home.write("lib/config/scheduler/box/selected", "docker-local");
    let (rows, status) = rows(&home, &away);
    let engine = row(&rows, "engine");
    assert_eq!((engine["verdict"].as_str(), status), (Some("fail"), 1), "{engine}");
    assert!(engine["found"].as_str().is_some_and(|found| found.contains("/nowhere/docker.sock")), "{engine}");
}

#[test]
fn a_bundle_holds_what_helps_and_no_secret() {
    let home = Home::new();
    home.write("shop/.env", "DATABASE_URL=postgres://shop:hunter2@db/shop\n");
    let source = home.source("shop", PROCFILE);
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--env-file",
        home.path("shop/.env").to_str().expect("text"),
    ]);
    let bundle = home.path("report.tar");
    let words = ["ps-lifecycle", "doctor", "--bundle", bundle.to_str().expect("text")];
    home.run(&words);
    assert_eq!(fs::metadata(&bundle).expect("it is there").permissions().mode() & 0o777, 0o600);
    let tar = |option: &str| {
        let ran =
            Command::new("tar").arg(option).arg(&bundle).stderr(Stdio::inherit()).output().expect("tar");
        assert!(ran.status.success());
        String::from_utf8(ran.stdout).expect("UTF-8")
    };
    let names = tar("-tf");
    for name in ["doctor.jsonl", "status.jsonl", "inspect/shop.json", "journal/shop.jsonl"] {
        assert!(names.contains(&format!("formation-doctor/{name}\n")), "{names}");
    }
    let all = tar("-xOf");
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.contains(r#""process_type":"web""#) && all.contains(r#""verb":"deploy""#), "{all}");
    home.refuses(&words, 1, &["report.tar is there already"]);
}
