//! A Procfile in the foreground, as a person would run it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::service::{DEADLINE, eventually};

fn run(directory: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ps-supervise"))
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ps-supervise starts")
}

fn source(procfile: &str) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    fs::write(directory.path().join("Procfile"), procfile).expect("written");
    fs::write(directory.path().join(".env"), "GREETING=hello\n").expect("written");
    directory
}

#[test]
fn each_line_bears_the_name_of_who_wrote_it_and_an_interrupt_ends_everything() {
    let directory =
        source("web: echo $GREETING from $PS; exec sleep 1000\nworker: echo I work; exec sleep 1000\n");
    let mut child = run(&directory);
    let (send, lines) = mpsc::channel();
    let stdout = child.stdout.take().expect("a pipe");
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    let mut first: Vec<String> = (0..2).map(|_| lines.recv_timeout(DEADLINE).expect("a line")).collect();
    first.sort();
    assert_eq!(first, ["web.1    | hello from web.1", "worker.1 | I work"]);
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::INT).expect("it is ours");
    let ended = eventually("it ends", || child.try_wait().expect("it is ours"));
    assert!(ended.success(), "{ended}");
}

#[test]
fn it_ends_once_everything_has_ended() {
    let directory = source("web: echo once\n");
    let ended = run(&directory).wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "web.1 | once\n");
}

#[test]
fn a_directory_with_nothing_to_run_is_refused_in_one_line() {
    let directory = TempDir::new().expect("a temporary directory");
    let ended = run(&directory).wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        words.lines().count() == 1 && words.contains("Procfile") && words.contains("name a directory"),
        "{words}"
    );
}
