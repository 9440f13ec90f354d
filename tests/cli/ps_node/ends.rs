//! How it ends, and what becomes of its processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::clients::{get, gets};
use crate::world::{Node, SERVER, command, eventually, has_node, pid_in, port};

/// Sends half of an answer at once, and the rest when its client says so.
const SLOW: &str = "require('http').createServer((request, response) => {
    response.write('half ');
    request.on('data', () => response.end('whole'));
}).listen(+process.env.PORT);";

/// A client that has half of its answer.
fn half_answered(port: u16) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let head = "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 1\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("written");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("half") {
        line.clear();
        assert!(reader.read_line(&mut line).expect("read") > 0, "no answer");
    }
    reader
}

#[test]
fn told_to_end_it_lets_connections_end_and_takes_no_new_ones() {
    if !has_node() {
        return;
    }
    let port = port();
    let mut node = Node::serving(SLOW, &["-i", "2"], port);
    let mut client = half_answered(port);
    node.signal(Signal::TERM);
    client.get_mut().write_all(b"x").expect("written");
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("read");
    assert!(rest.contains("whole"), "{rest}");
    assert_eq!(node.end().code(), Some(0));
}

#[test]
fn a_second_signal_or_the_drain_limit_cuts_connections() {
    if !has_node() {
        return;
    }
    for (words, is_told_twice) in
        [(["-i", "1", "--drain-limit", "3600"], true), (["-i", "1", "--drain-limit", "1"], false)]
    {
        let port = port();
        let mut node = Node::serving(SLOW, &words, port);
        let _client = half_answered(port);
        node.signal(Signal::TERM);
        if is_told_twice {
            node.signal(Signal::INT);
        }
        assert_eq!(node.end().code(), Some(0));
    }
}

#[test]
fn its_processes_end_when_it_is_killed() {
    if !has_node() {
        return;
    }
    let port = port();
    let mut node = Node::serving(SERVER, &["-i", "2"], port);
    let pids: Vec<_> = gets(port, 4).keys().map(|answer| pid_in(answer)).collect();
    node.signal(Signal::KILL);
    node.end();
    eventually("they end", || {
        let left = pids.iter().filter(|pid| rustix::process::test_kill_process(**pid).is_ok()).count();
        if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
    });
    assert!(get(port).is_err());
}

/// The status and the last line on stderr.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn a_program_that_cannot_serve_ends_it_with_its_status() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut unknown = Command::new(env!("CARGO_BIN_EXE_ps-node"));
    unknown.args(["-i", "1", "/nowhere/node", "server.js"]);
    let (status, said) = ended(&mut unknown);
    assert_eq!(
        (status, said.as_str()),
        (Some(127), "ps-node: start /nowhere/node: No such file or directory (os error 2)")
    );
    let (status, said) = ended(command(&directory, "", &[]).env("WEB_CONCURRENCY", "lots"));
    assert_eq!(
        (status, said.as_str()),
        (Some(2), "ps-node: WEB_CONCURRENCY is \"lots\": use a number from 1 on, or max")
    );
    if !has_node() {
        return;
    }
    for (program, wanted) in
        [("process.exit(3)", 3), ("process.exit()", 1), ("process.kill(process.pid, 'SIGKILL')", 137)]
    {
        let (status, said) = ended(&mut command(&directory, program, &["-i", "1"]));
        assert_eq!(status, Some(wanted), "{program}: {said}");
        assert!(said.starts_with("ps-node: process 0 has ended with status"), "{said}");
    }
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("bound").port();
    let program = SERVER.replace("+process.env.PORT", &format!("{taken}, '127.0.0.1'"));
    let output = command(&directory, &program, &["-i", "1"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = format!("ps-node: process 0 cannot listen on 127.0.0.1:{taken}: Address already in use");
    assert!(said.lines().any(|line| line.starts_with(&wanted)), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
