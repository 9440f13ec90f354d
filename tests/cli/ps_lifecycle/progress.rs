//! What a verb tells while it changes what runs: a line for each instance on a terminal, and nothing else than before elsewhere.

use std::collections::BTreeSet;

use crate::home::{Home, eventually, table};
use crate::terminal::Terminal;

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";
const SIZE: (u16, u16) = (24, 80);

/// A row of an instance: its name and what it does, without the time.
fn instance(row: &str) -> Option<(String, String)> {
    let (name, state) = row.trim_start().split_once("  ")?;
    let state = state.trim_start().split("  ").next()?;
    let is_slot = name.trim_end().split('.').nth(1).is_some_and(|index| index.parse::<u16>().is_ok());
    is_slot.then(|| (name.trim_end().to_owned(), state.to_owned()))
}

fn instances(terminal: &Terminal) -> Vec<(String, String)> {
    terminal.shown().0.iter().filter_map(|row| instance(row)).collect()
}

fn all(slots: &[&str], state: &str) -> Vec<(String, String)> {
    slots.iter().map(|slot| ((*slot).to_owned(), state.to_owned())).collect()
}

fn await_instances(terminal: &Terminal, what: &str, is_there: impl Fn(&[(String, String)]) -> bool) {
    eventually(what, || {
        let rows = instances(terminal);
        if is_there(&rows) { Ok(()) } else { Err(format!("{rows:?}")) }
    });
}

#[test]
fn on_a_terminal_each_instance_has_one_line_which_is_rewritten() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    // What starts goes on when it was seen.
    let startup = r#"[{"type": "startup", "command": ["test", "-e", "go"], "wait": 1, "attempts": 1000}]"#;
    home.write("shop/app.json", &format!(r#"{{"healthchecks": {{"web": {startup}, "worker": {startup}}}}}"#));
    let slots = ["web.1", "web.2", "worker.1"];
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "worker=1"];
    for (words, said, last) in [
        (&deploy[..], "starting", "up"),
        (&["ps-lifecycle", "restart", "shop"], "starting", "up"),
        (&["ps-lifecycle", "stop", "shop"], "", "ended"),
        (&["ps-lifecycle", "start", "shop"], "starting", "up"),
        (&["ps-lifecycle", "rebuild", "shop"], "starting", "up"),
    ] {
        let _ = std::fs::remove_file(home.path("shop/go"));
        let mut terminal = Terminal::start(&home, words, SIZE.0, SIZE.1);
        if !said.is_empty() {
            await_instances(&terminal, "all are shown at once", |rows| {
                rows.len() == slots.len() && rows.iter().any(|(_, state)| state == said)
            });
        }
        home.write("shop/go", "");
        assert_eq!(terminal.wait(), Some(0), "{}", terminal.written());
        await_instances(&terminal, &format!("{words:?}: each has its last line"), |rows| {
            rows == all(&slots, last)
        });
        let (rows, column) = terminal.shown();
        assert!(rows[0].starts_with("-----> "), "{rows:?}");
        assert_eq!(column, 0, "the next prompt begins a line: {rows:?}");
        assert!(!terminal.written().contains("\x1b[?25l"), "the cursor is not hidden");
    }
    let mut scaled = Terminal::start(&home, &["ps-scale", "shop", "web=3", "worker=0"], SIZE.0, SIZE.1);
    assert_eq!(scaled.wait(), Some(0), "{}", scaled.written());
    let changed = [("web.3".to_owned(), "up".to_owned()), ("worker.1".to_owned(), "ended".to_owned())];
    await_instances(&scaled, "what is changed is shown, and nothing else", |rows| rows == changed);
}

#[test]
fn where_no_line_can_be_rewritten_the_lines_are_those_of_a_pipe() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    let words = ["ps-lifecycle", "restart", "shop"];
    let piped = home.run(&words);
    // Somebody else on this machine may have taken a port.
    let is_ours = |line: &&str| !line.contains(" is held by ");
    let lines = |text: &str| {
        text.lines().filter(is_ours).map(|line| line.trim_end().to_owned()).collect::<BTreeSet<_>>()
    };
    assert!(piped.stderr.contains("web.2 is up"), "{piped:?}");
    assert!(!piped.stderr.contains('\x1b'), "{piped:?}");
    for (size, variables) in [
        (SIZE, &[("TERM", "dumb")][..]),
        (SIZE, &[("TERM", "")]),
        (SIZE, &[("NO_COLOR", "1")]),
        ((5, 80), &[]),
        ((24, 39), &[]),
    ] {
        let mut terminal = Terminal::start_with(&home, &words, size, variables);
        assert_eq!(terminal.wait(), Some(0));
        eventually("it says the same", || {
            let written = terminal.written();
            if lines(&written) == lines(&piped.stderr) && !written.contains('\x1b') {
                Ok(())
            } else {
                Err(written)
            }
        });
    }
    let mut quiet = Terminal::start(&home, &["ps-lifecycle", "restart", "shop", "--quiet"], SIZE.0, SIZE.1);
    assert_eq!((quiet.wait(), quiet.written().as_str()), (Some(0), ""));
}

#[test]
fn lines_of_hooks_and_another_size_tear_no_line() {
    let home = Home::new();
    home.hook(
        "talk/pre-start",
        "#!/bin/sh\nfor n in 1 2 3; do echo \"hook of $1 says $n\"; sleep 0.2; done\n",
    );
    for app in ["blog", "shop"] {
        let source = home.source(app, PROCFILE);
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source, "--scale", "web=2"]);
    }
    let words = ["ps-lifecycle", "restart", "--all", "--parallel", "2"];
    let mut terminal = Terminal::start(&home, &words, 30, 100);
    await_instances(&terminal, "something comes up", |rows| {
        rows.iter().any(|(_, state)| state == "starting")
    });
    for size in [(26, 60), (20, 44), (30, 120)] {
        terminal.resize(size);
        // What is written next is written for that size.
        let written = terminal.written().len();
        eventually("it goes on", || {
            let now = terminal.written();
            if now.len() > written || now.contains("RESULT") { Ok(()) } else { Err(now) }
        });
    }
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.written());
    eventually("the table is there", || {
        let (rows, _) = terminal.shown();
        if rows.iter().any(|row| row.starts_with("shop  done")) { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    let (rows, _) = terminal.shown();
    for app in ["blog", "shop"] {
        for n in 1..=3 {
            let line = format!("hook of {app} says {n}");
            assert_eq!(rows.iter().filter(|row| **row == line).count(), 1, "{line}: {rows:#?}");
        }
        for index in 1..=2 {
            let name = format!("{app} web.{index}");
            let of_it: Vec<_> = rows.iter().filter(|row| row.contains(&name)).collect();
            assert_eq!(of_it.len(), 1, "{name}: {rows:#?}");
            assert!(of_it[0].contains("  up  "), "{rows:#?}");
        }
    }
}

#[test]
fn ctrl_c_leaves_whole_lines_and_what_ran_before() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    let before = home.pids("shop");
    let mut terminal = Terminal::start(&home, &["ps-lifecycle", "restart", "shop"], SIZE.0, SIZE.1);
    await_instances(&terminal, "something comes up", |rows| {
        rows.iter().any(|(_, state)| state == "starting")
    });
    terminal.press("\x03");
    assert_eq!(terminal.wait(), Some(1), "{}", terminal.written());
    eventually("the last line is there", || {
        let (rows, column) = terminal.shown();
        let whole = ["-----> Restarting shop", "", "", "ps-lifecycle: interrupted"];
        let is_whole = rows.len() == whole.len() && rows[0] == whole[0] && rows[3] == whole[3] && column == 0;
        if is_whole { Ok(()) } else { Err(format!("{rows:#?}")) }
    });
    assert_eq!(instances(&terminal), all(&["web.1", "web.2"], "cancelled"));
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn an_instance_that_fails_is_marked_and_the_reason_follows() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    let source = home.source("broken", "web: sh -c 'exit 3'\n");
    let words = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let mut terminal = Terminal::start(&home, &words, SIZE.0, SIZE.1);
    assert_eq!(terminal.wait(), Some(1));
    eventually("the reason is there", || {
        let (rows, _) = terminal.shown();
        let is_there = rows.iter().any(|row| row.contains("ps-lifecycle: web.1 of shop ended"));
        if is_there { Ok(()) } else { Err(format!("{rows:#?}")) }
    });
    let rows = instances(&terminal);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().any(|(_, state)| state == "failed, the earlier runs on"), "{rows:?}");
    assert_eq!(home.states("shop"), table(&[("web.1", "running"), ("web.2", "running")]));
}
