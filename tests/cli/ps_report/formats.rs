//! Text, JSON and CSV.

use std::fs;
use std::process::Command as Program;
use std::process::Stdio;

use assert_cmd::Command;
use serde_json::Value;

use crate::{Home, NOWHERE, json_lines, said};

#[test]
fn on_our_own_json_has_the_app_and_text_is_the_same() {
    let home = Home::new();
    home.app("blog").app("shop").property("ps", "blog", "start-cmd", "a <b>");
    let text = |command: &mut Command| said(command).stdout;
    let ours = json_lines(&text(&mut home.report(&["--json"])));
    assert_eq!([&ours[0]["app"], &ours[1]["app"]], ["blog", "shop"]);
    assert_eq!(ours[0]["start-cmd"], "a <b>");
    let dokkus = json_lines(&text(&mut home.dokku(&["--format", "json"])));
    assert!(dokkus.iter().all(|row| row.get("app").is_none()));
    let lines = json_lines(&text(&mut home.dokku(&["--format", "jsonl"])));
    assert_eq!(lines[1]["app"], "shop");
    assert_eq!(text(&mut home.report(&["blog"])), text(&mut home.dokku(&["blog", "--format", "stdout"])));
    let global = json_lines(&text(&mut home.report(&["--global", "--json"])));
    assert_eq!(global[0]["app"], "--global");
}

#[test]
fn json_is_what_its_schema_says() {
    let schema = include_str!("../../../docs/schemas/ps-report.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let required = schema["required"].as_array().expect("a list");
    let home = Home::new();
    home.app("bad").app("box").property("ps", "bad", "restart-policy", "no\0");
    home.write("home/box/CONTAINER.web.1", &"a".repeat(64));
    let rows = json_lines(&said(home.report(&["--json"]).env("DOCKER_HOST", NOWHERE)).stdout);
    for row in &rows {
        let row = row.as_object().expect("an object");
        for key in required {
            assert!(row.contains_key(key.as_str().expect("a name")), "{key} is missing");
        }
        for (key, value) in row {
            let Some(rule) = schema["properties"].get(key) else {
                assert!(key.starts_with("status-") && value.is_string(), "{key} is not in the schema");
                continue;
            };
            let is_legal = rule["enum"].as_array().map_or(value.is_string(), |legal| legal.contains(value));
            assert!(is_legal, "{key}: {value} is not as the schema has it");
        }
    }
    assert!(rows[0].get("error").is_some() && rows[1].get("status-web.1").is_some());
}

#[test]
fn csv_has_one_row_for_each_app_and_columns_that_do_not_depend_on_what_runs() {
    let home = Home::new();
    home.app("blog").app("shop").property("ps", "blog", "start-cmd", "a, \"b\"");
    let table = said(&mut home.report(&["--format", "csv"])).stdout;
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    assert_eq!((header[0], header[header.len() - 1]), ("app", "error"));
    let keys = &header[1..header.len() - 1];
    assert!(keys.is_sorted() && keys.contains(&"status") && keys.contains(&"computed-start-cmd"), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("ps-") || key.starts_with("status-")), "{keys:?}");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<_> = reader.records().map(|row| row.expect("well-formed")).collect();
    assert_eq!([&rows[0][0], &rows[1][0]], ["blog", "shop"]);
    let column = |name| header.iter().position(|key| *key == name).expect("a column");
    assert_eq!((&rows[0][column("start-cmd")], &rows[0][column("status")]), ("a, \"b\"", "{}"));
    let two = said(&mut home.report(&["--format", "csv", "--columns", "running,app"]));
    assert_eq!(two.stdout, "running,app\nfalse,blog\nfalse,shop\n");
    let unknown = said(&mut home.report(&["--format", "csv", "--columns", "app,nope"]));
    assert_eq!((unknown.status, unknown.stdout.is_empty()), (2, true));
    assert!(unknown.stderr.contains("\"nope\""), "{}", unknown.stderr);
}

#[test]
fn statuses_are_sorted_as_bytes_and_stand_in_the_column_of_the_widest_flag() {
    let home = Home::new();
    home.app("blog");
    for slot in ["web.1", "web.2", "web.10", "my-worker.10", "UP_per.1"] {
        home.write(format!("home/blog/CONTAINER.{slot}"), &format!("{}\n", "c".repeat(64)));
    }
    let text = |home: &Home| said(home.dokku(&["blog"]).env("DOCKER_HOST", NOWHERE));
    let first = text(&home);
    assert_eq!(first.status, 1, "there is no engine");
    let rows = |names: &[&str], width: usize| -> String {
        let row = |name: &&str| format!("       {name:width$}unknown (CID: ccccccccccc)\n");
        names.iter().map(row).collect()
    };
    let mut names =
        vec!["Status UP_per 1:", "Status my worker 10:", "Status web 1:", "Status web 10:", "Status web 2:"];
    assert!(first.stdout.ends_with(&rows(&names, 34)), "{}", first.stdout);
    assert!(first.stdout.contains("       Deployed:                         true\n"), "{}", first.stdout);
    let long = "z".repeat(60);
    home.write(format!("home/blog/CONTAINER.{long}.1"), &format!("{}\n", "c".repeat(64)));
    let label = format!("Status {long} 1:");
    names.push(&label);
    let second = text(&home).stdout;
    let width = "--status-".len() + 60 + ".1".len();
    assert!(second.ends_with(&rows(&names, width)), "{second}");
    assert!(second.contains(&format!("       {:width$}true\n", "Deployed:")), "{second}");
    let flag = said(home.dokku(&["blog", "--status-my-worker.10"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((flag.status, &*flag.stdout), (1, "unknown (CID: ccccccccccc)\n"));
}

#[test]
fn quiet_leaves_out_the_header() {
    let home = Home::new();
    home.app("blog");
    let loud = said(&mut home.report(&["blog"])).stdout;
    let quiet = said(&mut home.report(&["--quiet", "blog"])).stdout;
    assert_eq!(loud, format!("=====> blog ps information\n{quiet}"));
    let from_dokku = said(home.dokku(&["blog"]).env("DOKKU_QUIET_OUTPUT", "1")).stdout;
    assert_eq!(from_dokku, quiet);
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_a_closed_pipe_is_not() {
    let home = Home::new();
    home.app("blog");
    let run = |stdout: Stdio| {
        Program::new(env!("CARGO_BIN_EXE_ps-report"))
            .env("DOKKU_ROOT", home.root())
            .env("DOKKU_LIB_ROOT", home.lib())
            .stdout(stdout)
            .stderr(Stdio::null())
            .status()
            .expect("it runs")
    };
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    assert_eq!(run(Stdio::from(full)).code(), Some(1));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(run(Stdio::from(writer)).code(), Some(0));
}
