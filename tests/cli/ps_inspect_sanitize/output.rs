//! Where the output goes when nobody takes it, and that the program leaves no memory behind.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::{CONTAINER, DEADLINE, program};

#[test]
fn a_full_disk_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
    let mut child = program(&[]).stdout(full).spawn().expect("the program starts");
    child
        .stdin
        .take()
        .expect("its input is a pipe")
        .write_all(CONTAINER.as_bytes())
        .expect("it reads its input");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn no_core_is_dumped() {
    let mut child = program(&[]).spawn().expect("the program starts");
    let limits = format!("/proc/{}/limits", child.id());
    let started = Instant::now();
    let core = loop {
        let text = std::fs::read_to_string(&limits).unwrap_or_default();
        let line =
            text.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default().to_owned();
        if line.split_whitespace().filter(|word| *word == "0").count() == 2 {
            break line;
        }
        assert!(started.elapsed() < DEADLINE, "{line}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(core.contains("bytes"), "{core}");
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let many = format!("[{}]", vec!["{\"Name\":\"/a\"}"; 20_000].join(","));
    let mut child = program(&[]).spawn().expect("the program starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(many.as_bytes()).expect("it reads its input");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
