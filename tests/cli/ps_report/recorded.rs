//! What a real Dokku reported, golden cases of our own, and where we differ.

use std::fs;

use serde_json::Value;

use crate::{Container, Home, json_lines, recorded_world, said};

/// Recorded cases that we answer otherwise, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("report-two-flags", "two info flags are wrong usage (2), not silence and success"),
    ("report-demo-idle", "every app that is named is reported on, not only the first"),
];

fn recorded_cases(file: &str) -> Option<Vec<Value>> {
    let path = skipped::corpus(&format!("contracts/dokku-recorded/{file}"))?;
    Some(json_lines(&fs::read_to_string(path).expect("a recording can be read")))
}

#[test]
fn the_golden_cases_hold() {
    crate::support::golden::holds("ps-report", env!("CARGO_BIN_EXE_ps-report"), 30);
}

#[test]
fn every_recorded_report_is_answered_as_dokku_answered_it() {
    let (Some(cases), Some(container)) = (recorded_cases("reads.jsonl"), Container::start("demo", "web.1"))
    else {
        return;
    };
    let home = recorded_world(&container.0);
    let mut compared = 0;
    for case in &cases {
        let words: Vec<&str> =
            case["argv"].as_array().expect("words").iter().filter_map(Value::as_str).collect();
        let Some(arguments) = words.strip_prefix(&["dokku", "ps:report"]) else { continue };
        let name = case["name"].as_str().expect("a name");
        let wanted = |key: &str| case[key].as_str().expect("text").replace("<CID0:11>", &container.0[..11]);
        let said = said(&mut home.dokku(arguments));
        let ours = (i64::from(said.status), said.stdout, said.stderr);
        let dokkus = (case["exit"].as_i64().expect("a status"), wanted("stdout"), wanted("stderr"));
        match DIFFERENT.iter().find(|(different, _)| *different == name) {
            Some((_, reason)) => assert_ne!(ours, dokkus, "{name}: no longer different, though {reason}"),
            None => assert_eq!(ours, dokkus, "{name}: {arguments:?}"),
        }
        compared += 1;
    }
    assert!(compared >= 19, "only {compared} cases of ps:report were found");
}

#[test]
fn the_report_after_changes_is_dokkus_too() {
    let (Some(changed), Some(stopped)) = (recorded_cases("hooks.jsonl"), recorded_cases("lifecycle.jsonl"))
    else {
        return;
    };
    let Some(container) = Container::start("demo", "web.1") else { return };
    let home = recorded_world(&container.0);
    let matches = |cases: &[Value], name: &str| {
        let case = cases.iter().find(|case| case["name"] == name).expect("it was recorded");
        let wanted = case["stdout"].as_str().expect("text").replace("<CID0:11>", &container.0[..11]);
        assert_eq!(said(&mut home.dokku(&["demo"])).stdout, wanted, "{name}");
    };
    home.property("ps", "demo", "stop-timeout-seconds", "30").property("ps", "demo", "restore", "false");
    matches(&changed, "report");
    fs::remove_file(home.lib().join("config/ps/demo/stop-timeout-seconds")).expect("it was set");
    container.stop();
    matches(&stopped, "report-stopped");
}

#[test]
fn the_deliberate_differences_are_what_we_say_they_are() {
    let home = Home::new();
    home.app("demo").app("idle");
    let two = said(&mut home.dokku(&["demo", "--restore", "--deployed"]));
    assert_eq!((two.status, &*two.stdout), (2, ""));
    assert!(two.stderr.contains("--restore and --deployed"), "{}", two.stderr);
    let both = said(&mut home.dokku(&["demo", "idle", "--deployed"]));
    assert_eq!((both.status, &*both.stdout), (0, "false\nfalse\n"));
}
