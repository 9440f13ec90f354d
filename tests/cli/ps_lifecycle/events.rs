//! `--format json` of the verbs that change what runs: an object for each event, and how it all ended in the last one.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use rustix::pipe::fcntl_setpipe_size;
use rustix::process::Signal;
use serde_json::Value;

use crate::home::{Home, eventually};
use crate::program::Running;
use crate::schema;

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";

/// The events of a program that ends with this status; all of them are what the schema says, and the last one tells the status.
fn events(home: &Home, words: &[&str], status: i32) -> Vec<Value> {
    let ran = home.run(words);
    assert_eq!(ran.status, Some(status), "{ran:?}");
    let rows = ran.rows();
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/events.json")).expect("JSON");
    for row in &rows {
        assert_eq!(schema::complaints(&schema, row), [""; 0], "{words:?}: {row}");
    }
    let (last, others) = rows.split_last().unwrap_or_else(|| panic!("{words:?}: {ran:?}"));
    assert_eq!((&last["phase"], &last["exit_status"]), (&"verb".into(), &status.into()), "{ran:?}");
    assert!(others.iter().all(|row| row["phase"] != "verb" && row.get("exit_status").is_none()), "{ran:?}");
    rows
}

/// `start web.1 done` of each event of an instance.
fn told(rows: &[Value]) -> Vec<String> {
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let is_of_instance = |row: &&Value| row["instance"].is_string();
    let of =
        |row: &Value| format!("{} {} {}", word(row, "phase"), word(row, "instance"), word(row, "outcome"));
    rows.iter().filter(is_of_instance).map(of).collect()
}

fn place(rows: &[String], wanted: &str) -> usize {
    rows.iter().position(|row| row == wanted).unwrap_or_else(|| panic!("{wanted}: {rows:#?}"))
}

#[test]
fn each_verb_tells_what_it_does_to_each_instance_in_its_order() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    let json = ["--format", "json"];
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "--format", "json"];
    let rows = events(&home, &deploy, 0);
    assert_eq!((&rows[0]["phase"], &rows[0]["outcome"]), (&"app".into(), &"begun".into()));
    let deployed = told(&rows);
    for slot in ["web.1", "web.2"] {
        let steps = ["plan", "start", "start", "result"].iter().zip(["start", "begun", "done", "started"]);
        let places: Vec<usize> =
            steps.map(|(phase, outcome)| place(&deployed, &format!("{phase} {slot} {outcome}"))).collect();
        assert!(places.is_sorted(), "{slot}: {deployed:#?}");
    }
    let rows = events(&home, &[&["ps-lifecycle", "restart", "shop"], &json[..]].concat(), 0);
    let restarted = told(&rows);
    for (phase, outcome) in [("plan", "replace"), ("start", "done"), ("stop", "begun"), ("stop", "done")] {
        place(&restarted, &format!("{phase} web.2 {outcome}"));
    }
    place(&restarted, "result web.1 replaced");
    let took = |row: &&Value| row["phase"] == "start" && row["outcome"] == "done";
    assert!(
        rows.iter().filter(took).all(|row| row["duration_ms"].is_u64() && row["run"].is_u64()),
        "{rows:#?}"
    );
    let rows = events(&home, &[&["ps-lifecycle", "stop", "shop", "web.2"], &json[..]].concat(), 0);
    assert_eq!(told(&rows), ["stop web.2 begun", "stop web.2 done"]);
    let rows = events(&home, &[&["ps-lifecycle", "start", "shop"], &json[..]].concat(), 0);
    place(&told(&rows), "start web.2 done");
    let rows = events(&home, &[&["ps-lifecycle", "stop", "shop"], &json[..]].concat(), 0);
    assert_eq!(told(&rows).iter().filter(|row| row.ends_with("done")).count(), 2, "{rows:#?}");
    home.does(&["ps-lifecycle", "start", "shop"]);
    for verb in ["rebuild", "restore"] {
        let rows = events(&home, &[&["ps-lifecycle", verb, "shop"], &json[..]].concat(), 0);
        assert!(rows.iter().all(|row| row["verb"] == verb && row["app"] == "shop"), "{rows:#?}");
    }
    let rows = events(&home, &[&["ps-lifecycle", "restart", "--all"], &json[..]].concat(), 0);
    let last = rows.last().expect("it was looked at");
    assert_eq!((&last["app"], &last["outcome"]), (&Value::Null, &"done".into()));
}

#[test]
fn a_failure_has_its_reason_with_the_instance_and_at_the_end() {
    let home = Home::running("shop", PROCFILE, &[]);
    let source = home.source("broken", "web: sh -c 'exit 3'\n");
    let words = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--format", "json"];
    let rows = events(&home, &words, 1);
    let failed = rows.iter().find(|row| row["phase"] == "start" && row["outcome"] == "failed");
    let failed = failed.unwrap_or_else(|| panic!("{rows:#?}"));
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("exit status 3")), "{failed}");
    place(&told(&rows), "result web.1 kept");
    let last = rows.last().expect("it was looked at");
    assert_eq!(last["outcome"], "failed");
    assert!(last["reason"].as_str().is_some_and(|reason| reason.contains("web.1 of shop")), "{last}");
    let rows = events(&home, &["ps-lifecycle", "restart", "nobody", "--format", "json"], 20);
    assert_eq!(rows.len(), 1, "{rows:#?}");
}

#[test]
fn a_cancelled_rollout_says_of_each_instance_what_has_come_of_it() {
    let home = Home::running("shop", PROCFILE, &[]);
    let before = home.pids("shop");
    let source = home.source("slow", "web: sleep 1000\nworker: sleep 1000\n");
    home.write(
        "slow/app.json",
        r#"{"formation": {"web": {"ready": "notify", "start_timeout_seconds": 600}}}"#,
    );
    let told_to = home.path("events");
    let mut command = home.command(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--format", "json"]);
    command.stdout(fs::File::create(&told_to).expect("a file")).stderr(Stdio::null()).process_group(0);
    let mut deploy = Running::begin(command);
    let rows = || -> Vec<Value> {
        let text = fs::read_to_string(&told_to).expect("readable");
        // The last line may be half written.
        text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    eventually("web.1 is starting", || {
        let told = told(&rows());
        if told.iter().any(|row| row == "start web.1 begun") { Ok(()) } else { Err(format!("{told:?}")) }
    });
    deploy.signal(Signal::INT);
    let ran = deploy.ended();
    let rows = rows();
    assert_eq!(ran.status, Some(1), "{rows:#?}");
    place(&told(&rows), "result web.1 kept");
    let last = rows.last().expect("there are events");
    assert_eq!((&last["phase"], &last["outcome"]), (&"verb".into(), &"cancelled".into()), "{rows:#?}");
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_hook_writes_nothing_between_events() {
    let home = Home::running("shop", PROCFILE, &[]);
    home.hook("talk/pre-start", "#!/bin/sh\necho the hook says something\n");
    let ran = home.run(&["ps-lifecycle", "restart", "shop", "--format", "json"]);
    assert!(ran.stderr.contains("the hook says something") && !ran.stdout.contains("hook"), "{ran:?}");
}

#[test]
fn a_scale_tells_events_and_its_own_end() {
    let home = Home::running("shop", PROCFILE, &[]);
    let rows = events(&home, &["ps-scale", "shop", "web=2", "--format", "events"], 0);
    assert!(rows.iter().all(|row| row["verb"] == "scale"), "{rows:#?}");
    place(&told(&rows), "start web.2 done");
    assert_eq!(events(&home, &["ps-scale", "shop", "nobody=1", "--format", "events"], 1).len(), 1);
    let ran = home.run(&["ps-scale", "shop", "--format", "events"]);
    assert!(ran.status == Some(2) && ran.stderr.contains("events tells of a change"), "{ran:?}");
}

#[test]
fn a_reader_that_goes_away_or_reads_nothing_holds_nothing_up() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=4"]);
    let before = home.pids("shop");
    let start = || {
        let mut command = home.command(&["ps-lifecycle", "restart", "shop", "--format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let mut gone = start();
    let mut line = String::new();
    BufReader::new(gone.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert!(line.ends_with("}\n"), "{line}");
    assert_eq!(gone.wait().expect("it ends").code(), Some(0));
    let after = home.pids("shop");
    assert!(after.len() == 4 && after.iter().all(|(slot, pid)| before[slot] != *pid), "{before:?} {after:?}");

    let mut silent = start();
    let mut stdout = silent.stdout.take().expect("a pipe");
    let size = fcntl_setpipe_size(&stdout, 4096).expect("a pipe can be small");
    eventually("nobody reads, and all are replaced", || {
        let pids = home.pids("shop");
        let is_done = pids.len() == 4 && pids.iter().all(|(slot, pid)| after[slot] != *pid);
        if is_done && home.states("shop").values().all(|state| state == "running") {
            Ok(())
        } else {
            Err(format!("{pids:?}"))
        }
    });
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("text");
    assert!(text.len() > size, "the pipe was too small for all of it: {} bytes", text.len());
    assert!(text.lines().last().is_some_and(|line| line.contains("\"exit_status\":0")), "{text}");
    assert_eq!(silent.wait().expect("it ends").code(), Some(0));
}
