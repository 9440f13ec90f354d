//! How it is started: by hand, and by somebody who hands it sockets.

use std::ffi::CString;
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::world::{DEADLINE, Server, Supervisor, backend, line};

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

#[test]
fn it_serves_the_sockets_that_it_is_handed_and_obeys_who_hands_them() {
    let server = Server::named("there");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (ours, its) = UnixStream::pair().expect("a pair");
    let mut actions = PosixSpawnFileActions::init().expect("a list");
    // First out of the way of the descriptors that are to be made.
    let (high, higher) = (100, 101);
    actions.add_dup2(listener.as_raw_fd(), high).expect("added");
    actions.add_dup2(its.as_raw_fd(), higher).expect("added");
    actions.add_dup2(high, 3).expect("added");
    actions.add_dup2(higher, 4).expect("added");
    actions.add_close(high).expect("added");
    actions.add_close(higher).expect("added");
    let text = |text: &str| CString::new(text).expect("no zero byte");
    let program = text(env!("CARGO_BIN_EXE_ps-balance"));
    let environment = [text("LISTEN_FDS=2"), text("LISTEN_FDNAMES=listen:control")];
    let attributes = PosixSpawnAttr::init().expect("none");
    let pid = posix_spawn(program.as_c_str(), &actions, &attributes, &[text("ps-balance")], &environment)
        .expect("it starts");
    drop(its);
    let mut supervisor = Supervisor::of(ours);
    supervisor.say(&serde_json::json!({"hello": {"version": 1, "app": "shop"}}));
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    let address = listener.local_addr().expect("bound");
    let mut client = std::net::TcpStream::connect(address).expect("it accepts");
    client.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    // Its supervisor is gone: it goes on with what it knows.
    drop(supervisor);
    let mut second = std::net::TcpStream::connect(address).expect("it accepts");
    second.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    second.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut second), "there");
    let pid = Pid::from_raw(pid.as_raw()).expect("a process");
    kill_process(pid, Signal::KILL).expect("it lives");
    waitpid(Some(pid), WaitOptions::empty()).expect("a child");
}
