//! Every byte that is written is shown, behind the name of who wrote it.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::Source;
use crate::rounds;
use crate::service::eventually;

#[test]
fn a_million_lines_are_a_million_lines() {
    let lines = rounds(200_000, 1_000_000);
    let ended = Source::new(&format!("web: seq {lines}\n")).run(&[]);
    let text = ended.text();
    let numbers = text.lines().map(|line| line.strip_prefix("web.1 | ").and_then(|n| n.parse().ok()));
    assert!(numbers.eq((1..=lines).map(Some)), "{} lines came", text.lines().count());
    assert_eq!(ended.code(), 0);
}

#[test]
fn a_last_line_without_a_newline_is_shown_and_gets_one_only_where_another_line_follows() {
    let ended = Source::new("a: printf oops; exit 1\n").run(&["--restart", "no"]);
    assert_eq!((ended.text().as_str(), ended.code()), ("a.1 | oops", 1));
    let ended = Source::new("a: printf 'one\\ntwo'; exit 1\n").run(&["--restart", "on-failure:1"]);
    assert_eq!(ended.text(), "a.1 | one\na.1 | two\na.1 | one\na.1 | two");
}

#[test]
fn what_one_process_writes_to_both_streams_keeps_its_order() {
    let script = "i=0; while [ $i -lt 500 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let ended = Source::new(&format!("a: {script}\n")).run(&[]);
    let expected = (0..500).flat_map(|i| [format!("a.1 | o{i}"), format!("a.1 | e{i}")]);
    assert!(ended.text().lines().eq(expected), "{}", ended.text());
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let ended = Source::new("a: printf '10%%\\r20%%\\r\\000\\377\\376\\033[1mx\\n'\n").run(&[]);
    assert_eq!(ended.out, b"a.1 | 10%\r20%\r\0\xff\xfe\x1b[1mx\n");
}

#[test]
fn a_very_long_line_is_whole_and_others_are_heard_beside_it() {
    let procfile = "long: head -c 3000000 /dev/zero | tr '\\0' x; sleep 0.3; echo end\n\
                    b: i=0; while [ $i -lt 50 ]; do echo b$i; i=$((i+1)); sleep 0.01; done\n";
    let ended = Source::new(procfile).run(&[]);
    let text = ended.text();
    assert_eq!(text.bytes().filter(|byte| *byte == b'x').count(), 3_000_000);
    for i in 0..50 {
        assert!(text.contains(&format!("b.1    | b{i}\n")), "b{i} is missing");
    }
    // Its rest stands behind its own name, marked as what it is, if somebody came between.
    let is_whole = text.contains("xend\n") || text.contains("long.1 + end\n");
    assert!(is_whole, "{}", &text[text.len().saturating_sub(200)..]);
}

#[test]
fn a_very_long_line_without_an_end_is_whole_and_ends() {
    for command in ["head -c 3000000 /dev/zero | tr '\\0' x", "head -c 65536 /dev/zero | tr '\\0' x"] {
        let ended = Source::new(&format!("long: {command}\n")).run(&[]);
        let (name, line) = ended.out.split_at("long.1 | ".len());
        assert_eq!(name, b"long.1 | ");
        assert!(line.len() == 3_000_000 || line.len() == 65_536, "{} bytes", line.len());
        assert!(line.iter().all(|byte| *byte == b'x'));
    }
}

#[test]
fn what_a_dying_tree_wrote_last_is_shown_before_its_end_is_told() {
    let source =
        Source::new("web: trap 'seq 20000; echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done\n");
    let mut command = source.command(&[]);
    // Both streams in one pipe, so that their order can be seen.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    command.stdout(writer.try_clone().expect("a pipe")).stderr(Stdio::from(writer));
    let mut child = command.spawn().expect("it starts");
    drop(command);
    let taken = super::Taken::of(reader);
    eventually("it is up", || taken.text().contains("| up\n").then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).expect("it is ours");
    eventually("it ends", || child.try_wait().expect("it is ours"));
    let text = String::from_utf8(taken.end()).expect("text");
    // Whom it waits for may be said at any time.
    let of_web: String = text.split_inclusive('\n').filter(|line| line.starts_with("web.1 ")).collect();
    assert!(of_web.ends_with("web.1 | 20000\nweb.1 | bye\nweb.1 | ended with status 0\n"), "{text}");
}

#[test]
fn a_slow_reader_holds_up_those_who_write_and_loses_nothing() {
    let source = Source::new("web: seq 200000\n");
    let mut command = std::process::Command::new("sh");
    source.prepare(&mut command);
    command
        .arg("-c")
        .arg("\"$0\" 2>/dev/null | { sleep 1; exec cat; }")
        .arg(env!("CARGO_BIN_EXE_ps-supervise"));
    let ended = source.start_command(command).end();
    assert_eq!(ended.text().lines().count(), 200_000);
}

#[test]
fn a_reader_that_reads_nothing_keeps_no_signal_from_working() {
    let source = Source::new("web: yes\n");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = source.command(&[]);
    command.stdout(writer).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().expect("it starts");
    drop(command);
    let err = super::Taken::of(child.stderr.take().expect("a pipe"));
    eventually("the pipe is full", || {
        let held = rustix::io::ioctl_fionread(&reader).expect("a pipe");
        (held > 60_000).then_some(())
    });
    // Until its own pipe is full as well.
    std::thread::sleep(Duration::from_millis(200));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::INT).expect("it is ours");
    eventually("it says whom it waits for", || err.text().contains("waiting for web.1 (pid ").then_some(()));
    let ended = eventually("it ends", || child.try_wait().expect("it is ours"));
    assert!(ended.success(), "{ended}");
    assert_eq!(source.processes(), Vec::<u32>::new());
}
