//! What pipelines rely on: JSON a line at a time, CSV, streams that may be closed, help.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::home::{Home, eventually};
use crate::schema;

const PROCFILE: &str = "web: faultapp --say hello --tick 60\nworker: faultapp --tick 60\n";

#[test]
fn whatever_is_asked_for_as_json_is_json_line_by_line() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    eventually("something was logged", || {
        let logs = home.does(&["ps-lifecycle", "logs", "shop"]);
        if logs.contains("hello") { Ok(()) } else { Err(logs) }
    });
    for (words, keys, count) in [
        (&["ps-lifecycle", "status", "--json"][..], &["app", "state", "pid"][..], 2),
        (&["ps-lifecycle", "status", "shop", "--format", "json"], &["app", "last_exit"], 2),
        (&["ps-lifecycle", "logs", "shop", "--json"], &["app", "process_type", "index", "stream", "line"], 2),
        (&["ps-report", "--json"], &["app", "running", "status-web.1"], 1),
        (&["ps-report", "shop", "--format", "jsonl"], &["app", "processes"], 1),
        (&["ps-set", "--list", "--json"], &["app", "property", "value", "source", "default"], 7),
        (&["ps-scale", "shop", "web=1", "--dry-run", "--json"], &["app", "source", "instances"], 1),
    ] {
        let ran = home.run(words);
        assert_eq!(ran.status, Some(0), "{words:?}: {ran:?}");
        let rows = ran.rows();
        assert!(rows.len() >= count, "{words:?}: {ran:?}");
        for row in rows {
            for key in keys {
                assert!(row.get(key).is_some(), "{words:?}: {key} is not in {row}");
            }
        }
    }
    for words in [&["ps-scale", "shop", "--json"], &["ps-lifecycle", "inspect", "shop"]] {
        let array: Value = serde_json::from_str(&home.does(words)).expect("one document");
        assert!(array.as_array().is_some_and(|array| array.len() == 2), "{words:?}: {array}");
    }
}

#[test]
fn json_is_what_its_schemas_say() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    eventually("something was logged", || {
        let logs = home.does(&["ps-lifecycle", "logs", "shop"]);
        if logs.contains("hello") { Ok(()) } else { Err(logs) }
    });
    for (verb, schema) in [
        ("status", include_str!("../../../docs/schemas/ps-lifecycle-status.json")),
        ("logs", include_str!("../../../docs/schemas/ps-lifecycle-logs.json")),
        ("processes", include_str!("../../../docs/schemas/ps-lifecycle-processes.json")),
    ] {
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let rows = home.run(&["ps-lifecycle", verb, "shop", "--json"]).rows();
        assert!(rows.len() >= 2, "{verb}: {rows:?}");
        for row in rows {
            assert_eq!(schema::complaints(&schema, &row), [""; 0], "{verb}: {row}");
        }
    }
}

#[test]
fn processes_are_all_of_an_instances_tree_and_of_no_other() {
    let home = Home::running(
        "shop",
        "web: sleep 607 & setsid sleep 608 & faultapp --tick 60\nworker: faultapp --tick 60\n",
        &["--scale", "worker=1"],
    );
    let commands_of = |process_type: &str| {
        let rows = home.run(&["ps-lifecycle", "processes", "shop", "--json"]).rows();
        let is_ones = |row: &&Value| row["process_type"] == process_type;
        let commands = rows.iter().filter(is_ones).map(|row| row["command"].to_string());
        commands.collect::<Vec<String>>()
    };
    eventually("its children are there", || {
        let commands = commands_of("web");
        let is_there = |word: &str| commands.iter().any(|command| command.contains(word));
        if is_there("\"sleep 607\"") && is_there("\"sleep 608\"") && is_there("\"faultapp --tick 60\"") {
            Ok(())
        } else {
            Err(format!("{commands:?}"))
        }
    });
    assert_eq!(commands_of("worker"), ["\"faultapp --tick 60\""]);
    let text = home.does(&["ps-lifecycle", "processes", "shop"]);
    assert!(text.starts_with("PROCESS ") && text.contains("sleep 608"), "{text}");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!(home.does(&["ps-lifecycle", "processes", "shop", "--json"]), "");
}

#[test]
fn csv_has_the_keys_of_json_in_one_row_an_instance() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    let csv = home.does(&["ps-lifecycle", "status", "--format", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    let heading = "app,process_type,index,state,pid,container_id,address,port,since,restarts,cpu_percent,memory_bytes,last_exit,scheduler,run,release,role";
    assert_eq!((lines[0], lines.len()), (heading, 3));
    assert!(
        lines[1].starts_with("shop,web,1,running,") && lines[1].ends_with(",native,1,1,current"),
        "{csv}"
    );
    assert!(lines.iter().all(|line| line.split(',').count() == 17), "{csv}");
    let text = home.does(&["ps-lifecycle", "status", "shop"]);
    assert!(text.starts_with("APP ") && text.lines().count() == 3 && text.contains("web.2"), "{text}");
}

#[test]
fn quiet_says_nothing_unless_something_is_wrong() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    for words in [
        &["deploy", "shop", "--dir", &source, "--quiet"][..],
        &["stop", "shop", "--quiet"],
        &["start", "shop", "--quiet"],
        &["destroy", "shop", "--quiet"],
    ] {
        let ran = home.run(&[&["ps-lifecycle"], words].concat());
        assert_eq!((ran.status, &*ran.stdout, &*ran.stderr), (Some(0), "", ""), "{words:?}");
    }
    home.run(&["ps-lifecycle", "stop", "shop", "--quiet"]).is_refused(20, &["shop"]);
}

/// Runs a line of shell in the home; its status.
fn shell(home: &Home, line: &str) -> crate::program::Ran {
    let ours = home.command(&["ps-lifecycle"]);
    let mut command = Command::new("/bin/bash");
    command.args(["-c", line]).env_clear().stdin(Stdio::null()).current_dir(home.path(""));
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    crate::program::run(command)
}

#[test]
fn a_reader_that_went_away_or_never_came_is_no_failure() {
    let home = Home::running("shop", "web: faultapp --log-lines 5000 --tick 60\n", &["--scale", "web=2"]);
    for line in [
        "ps-lifecycle status --json | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle status --format csv | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle status | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle logs shop -n 5000 | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle logs shop -n 5000 --json | head -1 >/dev/null; exit ${PIPESTATUS[0]}",
        "ps-lifecycle logs shop -n 5000 -f | head -1 >/dev/null; exit ${PIPESTATUS[0]}",
        "ps-lifecycle inspect shop | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle --help | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle status --json >&-",
        "ps-lifecycle restart shop >&- 2>&-",
        "ps-lifecycle restart shop 2>&1 | head -0; exit ${PIPESTATUS[0]}",
        "ps-lifecycle stop shop <&- >&- 2>&-",
    ] {
        let ran = shell(&home, line);
        assert_eq!(ran.status, Some(0), "{line}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{line}: {ran:?}");
    }
    let full = shell(&home, "ps-lifecycle status >/dev/full");
    let said = |program: &str| {
        format!("{program}: write to standard output: No space left on device (os error 28)\n")
    };
    assert_eq!((full.status, full.stderr), (Some(1), said("ps-lifecycle")), "a full disk is a failure");
    for program in ["ps-lifecycle", "ps-supervise", "ps-scale", "ps-set", "ps-report", "ps-inspect-sanitize"]
    {
        let full = shell(&home, &format!("{program} --help >/dev/full"));
        assert_eq!((full.status, full.stderr), (Some(1), said(program)), "{program} --help");
    }
}

#[test]
fn every_program_says_how_it_is_used_and_which_it_is() {
    let home = Home::new();
    for program in ["ps-lifecycle", "ps-supervise", "ps-scale", "ps-set", "ps-report", "ps-inspect-sanitize"]
    {
        let help = home.run(&[program, "--help"]);
        assert!(help.status == Some(0) && help.stdout.contains("\nExamples:\n"), "{program}: {help:?}");
        let version = home.does(&[program, "--version"]);
        let commit = version.strip_prefix(&format!("{program} {} (", env!("CARGO_PKG_VERSION")));
        let commit = commit.and_then(|rest| rest.strip_suffix(")\n")).expect("a version and a commit");
        let is_hash = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash || commit == "debug build", "{version}");
    }
    let help = home.does(&["ps-lifecycle", "--help"]);
    for verb in [
        "deploy", "start", "stop", "restart", "rebuild", "restore", "retire", "destroy", "status", "logs",
        "inspect",
    ] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} is not in {help}");
        assert!(home.does(&["ps-lifecycle", verb, "--help"]).contains("Usage: "), "{verb}");
    }
}

/// How long a read may take.
const QUICK: Duration = Duration::from_millis(500);

#[test]
fn reads_are_quick() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    for words in
        [&["ps-lifecycle", "status", "shop"][..], &["ps-lifecycle", "logs", "shop"], &["ps-scale", "shop"]]
    {
        // On a busy machine one may be late by chance.
        let took: Vec<Duration> =
            (0..10).map(|_| home.run(words).took).take_while(|took| *took >= QUICK).collect();
        assert!(took.len() < 10, "{words:?}: {took:?}");
    }
}

#[test]
fn a_first_deploy_names_the_types_of_which_it_has_started_nothing() {
    let home = Home::new();
    let procfile = "web: exec sleep 600\nworker: exec sleep 600\nclock: exec sleep 600\nrelease: true\n";
    let source = home.source("shop", procfile);
    let deploy = |app: &str, words: &[&str]| {
        let ran = home.run(&[&["ps-lifecycle", "deploy", app, "--dir", &source], words].concat());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.stderr
    };
    let told = deploy("shop", &[]);
    let hint = "worker, clock have no instance yet: ps-scale shop worker=1 clock=1";
    assert!(told.contains(hint), "{told}");
    for told in [deploy("shop", &[]), deploy("asked", &["--scale", "web=1"])] {
        assert!(!told.contains("no instance yet"), "{told}");
    }
}

#[test]
fn where_no_app_can_be_kept_the_way_out_is_named() {
    let home = Home::new();
    let source = home.source("src", "web: faultapp --tick 60\n");
    for (line, hint) in [
        (
            format!(
                "DOKKU_ROOT=/sys/none/home DOKKU_LIB_ROOT=/sys/none/lib ps-lifecycle deploy shop --dir {source}"
            ),
            "set DOKKU_ROOT and DOKKU_LIB_ROOT to directories that you may write",
        ),
        ("PM2_HOME=/sys/none ps-pm2 list".to_owned(), "set PM2_HOME to a directory that you may write"),
    ] {
        let ran = shell(&home, &line);
        assert_eq!((ran.status, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(ran.stderr.contains("/sys/none: ") && ran.stderr.contains(hint), "{ran:?}");
    }
}

#[test]
fn without_an_app_the_programs_for_people_say_how_one_is_made() {
    let home = Home::new();
    for line in ["ps-lifecycle status", "ps-logs", "ps-report", "ps-top --plain 2>&1 | head -n 1 >&2"] {
        let ran = shell(&home, line);
        assert!(
            ran.stderr.contains("no apps in ") && ran.stderr.contains("ps-lifecycle deploy"),
            "{line}: {ran:?}"
        );
    }
    for line in ["ps-lifecycle status --json", "ps-lifecycle status -q", "ps-lifecycle status --quiet"] {
        assert_eq!(shell(&home, line).stderr, "", "{line}");
    }
}
