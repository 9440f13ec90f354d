//! In these tests one process has both roles. Sharing between several processes is tested with real ones
//! (tests/cli/ps_node/shares.rs).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::*;
use crate::place::Port;

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn place(number: u16) -> Place {
    let address = Some(Ipv4Addr::LOCALHOST.into());
    Place::Tcp(Port { address, scope: 0, number, is_v6_only: false, is_v6: false, index: 0, reuses: false })
}

#[test]
fn a_socket_is_borrowed_while_somebody_has_it_and_made_anew_afterwards() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a".repeat(120));
    let lenders = Lenders::open(&path).expect("made");
    let place = place(free());
    let (first, offer) = lenders.socket(&place, 1).expect("bound");
    let second = lenders.borrow(&place, &key(&place)).expect("lent");
    assert_eq!(first.name, second.name);
    drop(first);
    drop(offer);
    // The first owner is gone, and the waiting connection is still there.
    let name = second.name.expect("a name");
    let mut client = TcpStream::connect(name).expect("it waits");
    client.write_all(b"x").expect("written");
    let listener = TcpListener::from(second.fd.try_clone().expect("a copy"));
    listener.set_nonblocking(false).expect("it is ours");
    let (mut served, _) = listener.accept().expect("it waited");
    let mut byte = [0; 1];
    served.read_exact(&mut byte).expect("read");
    assert_eq!(&byte, b"x");
    assert!(matches!(lenders.socket(&place, 1), Err(Errno::ADDRINUSE)), "nobody lends it");
    drop((second, listener, served, client));
    lenders.socket(&place, 1).expect("it is free again");
}

#[test]
fn what_a_dead_one_has_left_is_passed_over_and_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let lenders = Lenders::open(directory.path()).expect("there");
    let place = place(free());
    let left = directory.path().join(format!("{}.4194305", key(&place)));
    drop(UnixListener::bind(&left).expect("bound"));
    lenders.socket(&place, 1).expect("bound");
    assert!(!left.exists());
}

#[test]
fn a_socket_of_another_place_is_not_taken_for_this_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let lenders = Lenders::open(directory.path()).expect("there");
    let (one, other) = (place(free()), place(free()));
    let socket = Socket::open(&one, 1).expect("bound");
    // The test acts as if both places had the same key.
    let _offer = lenders.offer(&one, &key(&other), &socket).expect("offered");
    assert!(lenders.borrow(&other, &key(&other)).is_none());
    assert!(lenders.borrow(&one, &key(&other)).is_some());
}

#[test]
fn a_directory_that_others_may_write_into_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("ours");
    assert!(Lenders::open(directory.path()).is_err());
}
