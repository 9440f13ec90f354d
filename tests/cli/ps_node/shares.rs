//! Several `ps-node` that listen on one port, each with one process.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::clients::{Load, get, gets};
use crate::world::{Node, SERVER, eventually, has_node, pid_in, port};

/// One that shares in this directory, and says that it is ready.
fn sharing(program: &str, words: &[&str], directory: &Path, port: u16) -> Node {
    let own = tempfile::tempdir().expect("a directory");
    let told = own.path().join("notify");
    let socket = UnixDatagram::bind(&told).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let directory = directory.display().to_string();
    let words: Vec<&str> = ["--share", &directory, "--must-listen"].iter().chain(words).copied().collect();
    let variables = [("PORT", port.to_string()), ("NOTIFY_SOCKET", told.display().to_string())];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
    let node = Node::start(program, &words, &variables);
    let mut said = [0; 100];
    let mut hear = || -> Vec<u8> {
        let length = socket.recv(&mut said).unwrap_or_else(|error| panic!("{error}: {}", node.said()));
        said[..length].to_vec()
    };
    assert!(hear().starts_with(b"X_FORMATION_PROGRAM_PID="), "the program's process comes first");
    assert_eq!(hear(), b"READY=1");
    node
}

/// 40 connections went to 4 processes in turns. Who is still answering for one when its turn comes again changes places with the next, and on a
/// machine that is busy that happens often.
fn assert_even(answered: &BTreeMap<String, usize>) {
    assert!(answered.len() == 4 && answered.values().all(|count| (4..=16).contains(count)), "{answered:?}");
}

fn shared() -> (tempfile::TempDir, u16) {
    (tempfile::tempdir().expect("a directory"), port())
}

#[test]
fn connections_go_round_one_by_one_and_under_load() {
    if !has_node() {
        return;
    }
    let (directory, port) = shared();
    let nodes: Vec<Node> = (0..4).map(|_| sharing(SERVER, &[], directory.path(), port)).collect();
    assert_even(&gets(port, 40));
    let load = Load::begin(port, false);
    eventually("each has answered under load", || {
        if load.answered() > 2000 { Ok(()) } else { Err(load.answered().to_string()) }
    });
    let seen = load.summary();
    assert_eq!(seen.failed, [""; 0]);
    // Whose process is slow gets fewer, as it should; but none is left out.
    let share = seen.answered / 4;
    let is_part = |answered: &usize| *answered > share / 10;
    assert!(seen.by_process.len() == 4 && seen.by_process.values().all(is_part), "{:?}", seen.by_process);
    drop(nodes);
}

#[test]
fn a_port_stays_while_one_of_them_lives_and_is_free_afterwards() {
    if !has_node() {
        return;
    }
    let (directory, port) = shared();
    let mut first = sharing(SERVER, &[], directory.path(), port);
    let of_first = get(port).expect("an answer");
    let mut second = sharing(SERVER, &[], directory.path(), port);
    first.signal(Signal::TERM);
    first.end();
    assert!(gets(port, 5).into_keys().all(|pid| pid != of_first));
    // What was killed could withdraw nothing.
    let mut third = sharing(SERVER, &[], directory.path(), port);
    second.signal(Signal::KILL);
    second.end();
    let fourth = sharing(SERVER, &[], directory.path(), port);
    assert_eq!(gets(port, 10).len(), 2);
    third.signal(Signal::TERM);
    third.end();
    drop(fourth);
    eventually("the port is free", || {
        std::net::TcpListener::bind(("0.0.0.0", port)).map_err(|error| error.to_string())
    });
}

#[test]
fn a_port_of_another_program_is_refused_as_node_refuses_it() {
    if !has_node() {
        return;
    }
    let (directory, port) = shared();
    let _other = std::net::TcpListener::bind(("0.0.0.0", port)).expect("it is free");
    let words = ["--share", directory.path().to_str().expect("plain")];
    let mut node = Node::start(SERVER, &words, &[("PORT", &port.to_string())]);
    node.hears("EADDRINUSE");
    assert_eq!(node.end().code(), Some(1));
}

#[test]
fn it_ends_as_its_process_ends() {
    if !has_node() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let words = ["--share", directory.path().to_str().expect("plain")];
    let mut node = Node::start("process.exit(7)", &words, &[]);
    assert_eq!(node.end().code(), Some(7));
    let mut node = Node::start("process.kill(process.pid, 'SIGKILL')", &words, &[]);
    assert_eq!(node.end().signal(), Some(9));
    let mut node = Node::start("setInterval(() => {}, 1000); console.log('up')", &words, &[]);
    node.hears("up");
    node.signal(Signal::TERM);
    assert_eq!(node.end().signal(), Some(15));
}

#[test]
fn rolling_replacements_lose_no_request_of_new_and_of_kept_connections() {
    if !has_node() {
        return;
    }
    let (directory, port) = shared();
    let start = || sharing(SERVER, &["--drain-limit", "20"], directory.path(), port);
    let mut present: Vec<Node> = (0..4).map(|_| start()).collect();
    let load = Load::begin(port, true);
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 200 } else { 2 };
    let mut left = Vec::new();
    for _ in 0..times {
        for place in &mut present {
            let old = std::mem::replace(place, start());
            old.signal(Signal::TERM);
            left.push(old);
        }
    }
    for node in &mut left {
        node.end();
    }
    let seen = load.summary();
    assert_eq!(seen.failed, [""; 0]);
    assert!(seen.by_process.len() > 2 * times, "{:?}", seen.by_process);
    assert_even(&gets(port, 40));
}

#[test]
fn what_it_is_told_by_a_signal_reaches_the_program_and_its_pid_stands_in_a_file() {
    if !has_node() {
        return;
    }
    let (directory, port) = shared();
    let file = directory.path().join("pid");
    let program = format!("process.on('message', (message) => console.log(`told ${{message}}`));{SERVER}");
    let words = ["--pid-file", file.to_str().expect("plain")];
    let mut node = sharing(&program, &words, directory.path(), port);
    let pid = pid_in(&get(port).expect("an answer"));
    assert_eq!(std::fs::read_to_string(&file).expect("written"), pid.to_string());
    node.signal(Signal::USR2);
    node.signal(Signal::TERM);
    node.hears("told shutdown");
    node.end();
}
