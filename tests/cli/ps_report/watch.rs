//! `--watch`, in a pipe and on a terminal.

use std::io::{BufRead, BufReader};
use std::process::Command as Program;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{DEADLINE, Home};

#[test]
fn watching_writes_json_lines_until_the_reader_goes_away() {
    let home = Home::new();
    home.app("blog");
    let mut watching = Program::new(env!("CARGO_BIN_EXE_ps-report"))
        .args(["blog", "--watch=0.1"])
        .env("DOKKU_ROOT", home.root())
        .env("DOKKU_LIB_ROOT", home.lib())
        .env_remove("PLUGIN_PATH")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    for expected in ["false", "true"] {
        home.property("ps", "blog", "skip-deploy", expected);
        let patience = Instant::now() + DEADLINE;
        loop {
            let line = lines.next().expect("it goes on").expect("text");
            let row: Value = serde_json::from_str(&line).expect("an object");
            if row["skip-deploy"] == expected {
                break;
            }
            assert!(Instant::now() < patience, "it never saw {expected}: {line}");
        }
    }
    drop(lines);
    let patience = Instant::now() + DEADLINE;
    let status = loop {
        match watching.try_wait().expect("our child") {
            Some(status) => break status,
            None if Instant::now() > patience => {
                watching.kill().expect("our child");
                panic!("it went on without a reader");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "a closed pipe is a polite goodbye: {status}");
}

#[test]
fn watching_on_a_terminal_redraws_the_text_in_place() {
    let home = Home::new();
    home.app("blog");
    let command = format!("{} blog --watch=0.1", env!("CARGO_BIN_EXE_ps-report"));
    let started = Program::new("script")
        .args(["--quiet", "--flush", "--command", &command, "/dev/null"])
        .env("DOKKU_ROOT", home.root())
        .env("DOKKU_LIB_ROOT", home.lib())
        .env_remove("PLUGIN_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut terminal) = started else {
        skipped::skip("no script(1), which makes a terminal");
        return;
    };
    let mut output = terminal.stdout.take().expect("a pipe");
    let patience = Instant::now() + DEADLINE;
    let mut seen = String::new();
    let redraw =
        "\x1b[H\x1b[J=====> blog ps information\r\n       Deployed:                         false\r\n";
    while seen.matches(redraw).count() < 3 {
        let mut some = [0; 4096];
        let read = std::io::Read::read(&mut output, &mut some).expect("a pipe");
        seen.push_str(&String::from_utf8_lossy(&some[..read]));
        assert!(read > 0 && Instant::now() < patience, "it never redrew: {seen:?}");
    }
    terminal.kill().expect("our child");
    terminal.wait().expect("our child");
    assert!(seen.starts_with("\x1b[H\x1b[J"), "{seen:?}");
    assert!(!seen.contains('{'), "a terminal gets text: {seen:?}");
}
