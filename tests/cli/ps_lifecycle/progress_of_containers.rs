//! What a verb tells while it changes containers, on a terminal and in events.

use serde_json::Value;

use crate::engine::{IMAGE, has_engine, name};
use crate::home::{Home, eventually};
use crate::schema;
use crate::terminal::Terminal;

/// An image app with two instances that end at once when they are told to.
fn source(home: &Home) -> String {
    home.write("src/Dockerfile", &format!("FROM {IMAGE}\nCMD [\"sleep\", \"1000\"]\n"));
    home.write("src/Procfile", "web: exec sleep 1000\nworker: exec sleep 1000\n");
    home.path("src").to_str().expect("text").to_owned()
}

#[test]
fn containers_have_their_lines_on_a_terminal_and_their_events() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("shown"));
    let source = source(&home);
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source, "--scheduler", "docker-local"];
    let scale = ["--scale", "web=2", "worker=1"];
    let mut terminal = Terminal::start(&home, &[&deploy[..], &scale[..]].concat(), 24, 80);
    let row = |rows: &[String], slot: &str, state: &str| {
        let is_it = |row: &&String| row.trim_start().starts_with(slot) && row.contains(state);
        rows.iter().filter(is_it).count()
    };
    eventually("an instance comes up", || {
        let (rows, _) = terminal.shown();
        if row(&rows, "web.1", "starting") == 1 { Ok(()) } else { Err(format!("{rows:#?}")) }
    });
    terminal.resize((30, 60));
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.written());
    eventually("each has its last line", || {
        let (rows, column) = terminal.shown();
        let all = ["web.1", "web.2", "worker.1"].iter().all(|slot| row(&rows, slot, "  up  ") == 1);
        if all && column == 0 { Ok(()) } else { Err(format!("{rows:#?}")) }
    });

    // The end of a container is not what this is about, so it may be killed soon.
    home.does(&["ps-set", &app, "stop-timeout-seconds", "1"]);
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/events.json")).expect("JSON");
    let told = |words: &[&str], wanted: &[(&str, &str, &str)]| {
        let ran = home.run(&[words, &["--format", "json"]].concat());
        let rows = ran.rows();
        for row in &rows {
            assert_eq!(schema::complaints(&schema, row), [""; 0], "{row}");
        }
        for (phase, instance, outcome) in wanted {
            let is_it = |row: &&Value| {
                row["phase"] == *phase && row["instance"] == *instance && row["outcome"] == *outcome
            };
            assert_eq!(rows.iter().filter(is_it).count(), 1, "{phase} {instance} {outcome}: {ran:?}");
        }
        let last = rows.last().expect("an object").clone();
        assert_eq!(last["exit_status"].as_i64(), ran.status.map(i64::from), "{ran:?}");
        rows
    };
    told(
        &["ps-lifecycle", "restart", &app, "web.1"],
        &[
            ("plan", "web.1", "replace"),
            ("start", "web.1", "begun"),
            ("start", "web.1", "done"),
            ("stop", "web.1", "begun"),
            ("stop", "web.1", "done"),
            ("result", "web.1", "replaced"),
            ("result", "web.2", "kept"),
        ],
    );
    told(
        &["ps-lifecycle", "stop", &app, "worker"],
        &[("stop", "worker.1", "begun"), ("stop", "worker.1", "done")],
    );
    home.write("src/Procfile", "web: exit 3\nworker: exec sleep 1000\n");
    let rows = told(&deploy, &[("result", "web.1", "kept"), ("result", "web.2", "kept")]);
    let failed =
        rows.iter().find(|row| row["phase"] == "start" && row["outcome"] == "failed").expect("it failed");
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("exit status 3")), "{failed}");
    assert!(rows.iter().any(|row| row["phase"] == "output"), "what the build wrote: {rows:#?}");
    home.does(&["ps-lifecycle", "destroy", &app]);
}
