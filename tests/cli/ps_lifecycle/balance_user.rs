//! As whom `ps-balance` runs where the supervisor is root: it binds ports below 1024, and hands them to somebody who may do nothing else.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};

use rustix::process::Pid;

use crate::asking::{ask, found, kill, kill_supervisors, some_address};
use crate::certificates::{Made, agreed_by};
use crate::home::{Home, eventually, listening};

const WEB: &str = "web: exec faultapp --listen\n";
/// A user without a line in passwd(5).
const OWNER: u32 = 12_345;
const NOBODY: &str = "65534";

fn has_root() -> bool {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: another supervisor runs ps-balance as the user that it has itself");
        return false;
    }
    true
}

/// An address with a free port below 1024.
fn low_address() -> SocketAddr {
    let all = (600..1024).rev().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    all.into_iter().find(|address| TcpListener::bind(address).is_ok()).expect("a free one")
}

/// What `/proc/<pid>/status` says of a process under this name, with one blank between words.
fn said(pid: Pid, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.expect("the kernel says so").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn balance(home: &Home) -> Pid {
    let [pid] = found(home, "ps-balance ")[..] else { panic!("one ps-balance") };
    pid
}

/// An app whose directory belongs to somebody, that is reached here.
fn owned(address: SocketAddr) -> Home {
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    chown(&source, Some(OWNER), Some(OWNER)).expect("root may");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &address.to_string()]);
    home
}

#[test]
fn at_a_port_below_1024_ps_balance_is_the_owner_of_the_directory_and_has_no_rights() {
    let _listening = listening();
    if !has_root() {
        return;
    }
    let address = low_address();
    let home = owned(address);
    for _ in 0..2 {
        ask(address, "/pid").expect("it is there");
        let pid = balance(&home);
        assert_eq!(said(pid, "Uid"), "12345 12345 12345 12345");
        assert_eq!(said(pid, "Gid"), "12345 12345 12345 12345");
        assert_eq!(said(pid, "Groups"), "12345");
        assert_eq!((said(pid, "CapPrm"), said(pid, "CapEff")), ("0".repeat(16), "0".repeat(16)));
        assert_eq!(said(pid, "NoNewPrivs"), "1");
        kill_supervisors(&home);
        home.does(&["ps-lifecycle", "restart", "shop"]);
        ask(address, "/pid").expect("it is there");
        assert_eq!(balance(&home), pid, "the next supervisor talks to it");
        kill(|| found(&home, "ps-balance "));
    }
    // Where root owns the directory too, it is nobody.
    chown(home.path("shop"), Some(0), Some(0)).expect("root may");
    ask(address, "/pid").expect("it is there");
    let user = said(balance(&home), "Uid");
    if user.starts_with("12345 ") {
        kill(|| found(&home, "ps-balance "));
        ask(address, "/pid").expect("it is there");
    }
    assert!(said(balance(&home), "Uid").starts_with(NOBODY), "{}", said(balance(&home), "Uid"));
}

#[test]
fn a_key_that_root_alone_may_read_is_read_by_root_and_no_other() {
    let _listening = listening();
    if !has_root() {
        return;
    }
    let (address, secure) = (some_address(), some_address());
    let home = owned(address);
    ask(address, "/pid").expect("it is there");
    assert!(said(balance(&home), "Uid").starts_with("12345 "));
    let (made, directory) = (Made::of("shop.test"), home.path("home/shop/tls"));
    made.put(&directory);
    let files = ["server.key", "server.crt"].map(|name| directory.join(name));
    for file in &files {
        fs::set_permissions(file, Permissions::from_mode(0o600)).expect("changed");
    }
    home.does(&["ps-lifecycle", "proxy", "shop", "--tls", &secure.to_string()]);
    let agrees = || agreed_by(TcpStream::connect(secure).expect("it is there"), &[&made], &[]).is_ok();
    assert!(agrees());
    eventually("the one without rights has made way", || match found(&home, "ps-balance ")[..] {
        [pid] if said(pid, "Uid").starts_with("0 ") => Ok(()),
        ref others => Err(format!("{others:?}")),
    });
    for path in ["", "home", "home/shop"] {
        fs::set_permissions(home.path(path), Permissions::from_mode(0o711)).expect("changed");
    }
    for path in files.iter().chain([&directory]) {
        chown(path, Some(OWNER), Some(OWNER)).expect("root may");
    }
    kill(|| found(&home, "ps-balance "));
    assert!(agrees());
    assert!(said(balance(&home), "Uid").starts_with("12345 "));

    // A program that renews certificates leaves a key that is root's alone.
    let next = Made::of("shop.test");
    next.put(&directory);
    fs::set_permissions(&files[0], Permissions::from_mode(0o600)).expect("changed");
    eventually("the renewed certificate is shown", || {
        let stream = TcpStream::connect(secure).map_err(|error| error.to_string())?;
        agreed_by(stream, &[&next], &[]).map(drop).map_err(|error| error.to_string())
    });
}
