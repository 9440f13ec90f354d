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
fn the_memory_that_ps_web_has_seen_grow_is_told() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    std::fs::create_dir_all(home.path("lib/data/formation-web")).expect("a directory");
    let mut history =
        usage_history::History::open(&home.path("lib/data/formation-web/usage")).expect("a file");
    let now = u64::try_from(jiff::Timestamp::now().as_second() / 60).expect("after 1970");
    for minute in now - 240..=now {
        let memory_kib = u32::try_from(minute + 300 - now).expect("small") * 1024;
        let sample = usage_history::Sample { cpu: None, memory_kib: Some(memory_kib) };
        history.write(minute, &[("shop/web.1".to_owned(), sample)].into()).expect("written");
    }
    // Whoever writes it holds its lock meanwhile.
    let mut child = home.command(&["ps-top"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut said = lines.take(2).filter(|line| line.contains("grown steadily"));
    let told = said.next().expect("a line about it");
    assert!(
        told.ends_with("shop: the memory of web.1 has grown steadily for hours, by 60 MiB an hour"),
        "{told}"
    );
    drop(said);
    child.kill().expect("ours");
    child.wait().expect("it ends");
    // Nothing of it belongs to an app that is destroyed.
    std::fs::remove_dir_all(home.path("lib/data/formation-web")).expect("it was made here");
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
