//! How it is started: by hand, and by somebody who hands it sockets.

use std::ffi::CString;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::world::{Server, Supervisor, backend, connect, line};

fn refused(words: &[&str]) -> String {
    let ended = Command::new(env!("CARGO_BIN_EXE_ps-balance")).args(words).output().expect("it starts");
    assert_eq!(ended.status.code(), Some(2), "{words:?}: {ended:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[test]
fn what_could_never_serve_anybody_is_refused() {
    assert!(refused(&["--backend", "3001"]).contains("no address to listen on"));
    assert!(refused(&["--listen", "0"]).contains("no backend"));
    assert!(refused(&["--listen", "localhost"]).contains("is no address"));
    assert!(refused(&["--listen", "0", "--backend", "127.0.0.1:0"]).contains("has no port"));
    assert!(refused(&["--listen", "0", "--backend", "3001=heavy"]).contains("weight"));
    assert!(refused(&["--listen", "0", "--backend", "3001=1000001"]).contains("weight"));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let ended = Command::new(env!("CARGO_BIN_EXE_ps-balance"))
        .args(["--listen", &address, "--backend", "3001"])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(1) && said.contains(&address) && said.contains("in use"), "{said}");
}

/// What it says of sockets that are handed over in a way that is no good, by a shell (dash knows no descriptor above 9): descriptor 3 is what the redirection says.
fn refused_by_hand(variables: &str, redirection: &str) -> String {
    let script = format!("{variables} exec \"$0\" --backend 3001 {redirection}");
    let ended = Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_ps-balance")])
        .output()
        .expect("it starts");
    assert_eq!(ended.status.code(), Some(2), "{script}: {ended:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[test]
fn sockets_that_are_no_listening_ones_or_for_somebody_else_are_refused_with_the_reason() {
    let file = refused_by_hand("LISTEN_FDS=1", "3</dev/null");
    assert!(file.contains("fd 3 is not a socket"), "{file}");
    let other = refused_by_hand("LISTEN_FDS=1 LISTEN_PID=1", "3</dev/null");
    assert!(other.contains("are for process 1 (LISTEN_PID), and this is process "), "{other}");
    let none = refused_by_hand("LISTEN_FDS=many", "");
    assert!(none.contains("LISTEN_FDS=many is no number of sockets"), "{none}");
    assert!(!refused_by_hand("LISTEN_FDS=0", "").contains("LISTEN_FDS=0"));

    // A socket that is bound, and on which nobody listens.
    let flags = rustix::net::SocketFlags::empty();
    let bound = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        flags,
        None,
    );
    let bound = bound.expect("a socket");
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    rustix::net::bind(&bound, &address).expect("bound");
    let silent = refused_by_hand("LISTEN_FDS=1", &format!("3<&{}", bound.as_raw_fd()));
    assert!(silent.contains("nobody listens on the socket fd 3"), "{silent}");
}

/// The program, started with listening sockets and a connection to its supervisor as systemd hands them over. It is killed at the end of its
/// test.
pub(crate) struct Handed {
    pid: Pid,
    listeners: Vec<TcpListener>,
    supervisor: Option<UnixStream>,
}

impl Handed {
    /// With a listening socket for each of these names.
    pub(crate) fn start(names: &[&str], words: &[&str]) -> Self {
        let listeners: Vec<_> =
            names.iter().map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let (ours, its) = UnixStream::pair().expect("a pair");
        let fds = || listeners.iter().map(AsRawFd::as_raw_fd).chain([its.as_raw_fd()]);
        let count = fds().count();
        let numbers = || 3..3 + i32::try_from(count).expect("a few");
        // First out of the way of the descriptors that are to be made, and of one another.
        let beyond = fds().chain(numbers()).max().expect("there is one") + 1;
        let mut actions = PosixSpawnFileActions::init().expect("a list");
        for (fd, number) in fds().zip(numbers()) {
            actions.add_dup2(fd, beyond + number).expect("added");
        }
        for number in numbers() {
            actions.add_dup2(beyond + number, number).expect("added");
            actions.add_close(beyond + number).expect("added");
        }
        let text = |text: &str| CString::new(text).expect("no zero byte");
        let program = text(env!("CARGO_BIN_EXE_ps-balance"));
        let words: Vec<_> = ["ps-balance"].iter().chain(words).map(|word| text(word)).collect();
        let environment = [
            text(&format!("LISTEN_FDS={count}")),
            text(&format!("LISTEN_FDNAMES={}:control", names.join(":"))),
        ];
        let attributes = PosixSpawnAttr::init().expect("none");
        let pid =
            posix_spawn(program.as_c_str(), &actions, &attributes, &words, &environment).expect("it starts");
        let pid = Pid::from_raw(pid.as_raw()).expect("a process");
        Self { pid, listeners, supervisor: Some(ours) }
    }

    /// Its supervisor, who has said hello. There is one.
    pub(crate) fn supervisor(&mut self) -> Supervisor {
        let mut supervisor = Supervisor::of(self.supervisor.take().expect("there is one"));
        supervisor.say(&serde_json::json!({"hello": {"version": 1, "app": "shop"}}));
        supervisor
    }

    /// A client of the socket of this number.
    pub(crate) fn connect(&self, nth: usize) -> TcpStream {
        connect(self.listeners[nth].local_addr().expect("bound"))
    }

    /// What a new client is told.
    pub(crate) fn ask(&self, nth: usize) -> String {
        let mut client = self.connect(nth);
        client.write_all(b"?\n").expect("sent");
        line(&mut client)
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

#[test]
fn it_serves_the_sockets_that_it_is_handed_and_obeys_who_hands_them() {
    let server = Server::named("there");
    let mut handed = Handed::start(&["listen"], &[]);
    let mut supervisor = handed.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    assert_eq!(handed.ask(0), "there");
    // Its supervisor is gone: it goes on with what it knows.
    drop(supervisor);
    assert_eq!(handed.ask(0), "there");
}
