//! What the fault tests rely on: that faultapp does what its flags say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const DEADLINE: Duration = Duration::from_secs(60);

fn faultapp(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultapp"));
    command.args(args).env_remove("PORT").env_remove("DYNO").stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    faultapp(args).output().expect("the program starts")
}

/// A started process, killed when the test is over, however it ends.
struct Started(Child);

impl Started {
    fn new(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().expect("the program starts"))
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let stdout = self.0.stdout.take().expect("stdout is a pipe that nobody took");
        BufReader::new(stdout).lines().map_while(Result::ok)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("the process can be signalled");
    }

    fn status(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            if let Some(status) = self.0.try_wait().expect("the process can be waited for") {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the process still runs after {DEADLINE:?}");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A server with these flags that has said that it listens, and its port.
fn server(args: &[&str]) -> (Started, u16) {
    let port = free_port();
    let mut command = faultapp(args);
    command.args(["--listen"]).env("PORT", port.to_string()).env("DYNO", "web.1").env("GREETING", "hi");
    let mut started = Started::new(command);
    let first = started.lines().next();
    assert_eq!(first, Some(format!("web.1: listening on 127.0.0.1:{port}")));
    (started, port)
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers in time");
    answer
}

#[test]
fn with_keep_alive_one_request_follows_another_and_bodies_come_back() {
    let (started, port) = server(&["--keep-alive"]);
    let pid = started.0.id();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    for number in [1, 2] {
        write!(stream, "POST /echo/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
            .expect("it reads");
        let expected = format!("\r\n\r\n{number} {pid}\nhi");
        let mut answer = String::new();
        while !answer.ends_with(&expected) {
            let mut part = [0; 100];
            let read = stream.read(&mut part).expect("it answers in time");
            assert!(read > 0, "it ended after {answer}");
            answer.push_str(&String::from_utf8_lossy(&part[..read]));
        }
    }
}

#[test]
fn it_greets_and_is_healthy_until_it_is_told_to_end() {
    let (mut started, port) = server(&[]);
    assert!(get(port, "/").ends_with("\r\n\r\nHello from web.1 (hi)\n"));
    assert!(get(port, "/health").starts_with("HTTP/1.1 200 "));
    assert!(get(port, "/nowhere").starts_with("HTTP/1.1 404 "));
    started.signal(Signal::TERM);
    assert_eq!(started.status(), Some(0));
}

#[test]
fn it_answers_with_the_status_it_was_given() {
    let (_started, port) = server(&["--answer", "500"]);
    assert!(get(port, "/health").starts_with("HTTP/1.1 500 "));
}

#[test]
fn it_accepts_and_never_answers() {
    let (_started, port) = server(&["--accept-and-hang"]);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the kernel takes the request");
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a deadline can be set");
    assert!(stream.read(&mut [0]).is_err(), "nothing may come back");
}

#[test]
fn a_taken_port_is_a_failure_that_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let port = taken.local_addr().expect("a bound socket has an address").port();
    let output = output(&["--listen", &port.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("listen on 127.0.0.1:{port}: ")));
}

#[test]
fn it_ignores_term_and_says_so() {
    let mut started = Started::new(faultapp(&["--ignore-term", "--say", "here"]));
    let mut lines = started.lines();
    assert_eq!(lines.next().as_deref(), Some("here"));
    started.signal(Signal::TERM);
    assert_eq!(lines.next().as_deref(), Some("faultapp: TERM, ignored"));
    started.signal(Signal::INT);
    assert_eq!(started.status(), Some(0));
}

#[test]
fn it_ends_by_itself_with_the_status_it_was_given() {
    assert_eq!(output(&["--exit-after", "20", "--exit-code", "7"]).status.code(), Some(7));
    assert_eq!(output(&["--say", "done", "--exit-code", "3"]).status.code(), Some(3));
}

#[test]
fn its_lines_are_numbered_and_complete() {
    let output = output(&["--log-lines", "5000"]);
    let text = String::from_utf8(output.stdout).expect("the lines are text");
    assert_eq!(text.lines().count(), 5000);
    assert!(text.ends_with('\n'));
    for (number, line) in (1..).zip(text.lines()) {
        assert_eq!(line, format!("line {number}"));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut started = Started::new(faultapp(&["--log-rate", "1000"]));
    assert_eq!(started.lines().next().as_deref(), Some("line 1"));
    assert_eq!(started.status(), Some(0));
}

#[test]
fn its_family_leaves_the_session_and_outlives_term() {
    let mut started = Started::new(faultapp(&[
        "--fork-tree",
        "2",
        "2",
        "--setsid",
        "--ignore-term",
        "--exit-after",
        "5000",
    ]));
    let pids: Vec<i32> = started.lines().take(7).filter_map(|line| pid_in(&line)).collect();
    assert_eq!(pids.len(), 7, "one, two and four processes in three generations");
    let own_session = session_of(pids[0]);
    for &pid in &pids[1..] {
        assert_ne!(session_of(pid), own_session, "pid {pid} is in a session of its own");
    }
    for pid in pids.into_iter().filter_map(Pid::from_raw) {
        kill_process(pid, Signal::TERM).expect("each of them is there");
        kill_process(pid, Signal::KILL).expect("and still there after TERM");
    }
}

fn pid_in(line: &str) -> Option<i32> {
    line.split("pid ").nth(1)?.split(',').next()?.parse().ok()
}

fn session_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').nth(3).and_then(|field| field.parse().ok()).expect("the session is the sixth field")
}

#[test]
fn it_says_that_it_is_ready() {
    let name = std::env::temp_dir().join(format!("faultapp-ready-{}", std::process::id()));
    let socket = UnixDatagram::bind(&name).expect("the directory for temporary files is writable");
    socket.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    let mut command = faultapp(&["--ready-after", "10"]);
    command.env("NOTIFY_SOCKET", &name);
    let _started = Started::new(command);
    let mut message = [0; 64];
    let length = socket.recv(&mut message);
    std::fs::remove_file(&name).expect("the socket is still there");
    assert_eq!(&message[..length.expect("the message comes in time")], b"READY=1\n");
}

#[test]
fn wrong_flags_are_wrong_usage() {
    for args in [&["--listen", "x"][..], &["--tick", "0"], &["--answer", "42"], &["--setsid"], &[]] {
        assert_eq!(output(args).status.code(), Some(2), "{args:?}");
    }
}
