//! Without a screen: lines, and only those of what has changed.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::home::{Home, eventually};
use crate::pane::Pane;
use crate::program::run;

#[test]
fn in_a_pipe_each_change_is_a_line_and_nothing_else_is() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    let mut child = home.command(&["ps-top"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut next = || lines.next().expect("a line");
    let first = next();
    assert!(first.ends_with("shop web.1 running, run 1") && !first.contains('\x1b'), "{first:?}");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    // It may have been seen on its way.
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.contains("shop web.1 stopped")) {
        seen.push(next());
    }
    assert!(seen.len() <= 2 && seen.iter().all(|line| line.contains("shop web.1")), "{seen:?}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .expect("ours");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn it_ends_once_nobody_reads() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    let mut child = home.command(&["ps-top", "shop"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("a line");
    drop(out);
    eventually("its end", || match child.try_wait().expect("it is ours") {
        Some(status) if status.code() == Some(0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_dumb_terminal_gets_lines_and_no_control_sequence() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    let Some(pane) = Pane::run(&home, "TERM=dumb ps-top") else { return };
    pane.shows(&["shop web.1 running"]);
    assert_eq!(pane.property("#{alternate_on} #{cursor_flag}"), "0 1");
    drop(pane);
    let Some(pane) = Pane::run(&home, "ps-top --plain") else { return };
    pane.shows(&["shop web.1 running"]);
    assert_eq!(pane.property("#{alternate_on}"), "0");
}

#[test]
fn an_app_that_is_not_there_is_refused() {
    let home = Home::new();
    let ran = run(home.command(&["ps-top", "nope"]));
    assert!(ran.status == Some(20) && ran.stdout.is_empty() && ran.stderr.contains("nope"), "{ran:?}");
    let ran = run(home.command(&["ps-top", "--nope"]));
    assert_eq!(ran.status, Some(2), "{ran:?}");
}
