//! Very many clients, and more of them than there are descriptors.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::world::{Balance, Server, eventually, line, long};

/// A program that starts ps-balance with so many descriptors at most.
pub(crate) fn limited(directory: &tempfile::TempDir, descriptors: u32) -> std::path::PathBuf {
    let program = directory.path().join("limited");
    let exe = env!("CARGO_BIN_EXE_ps-balance");
    fs::write(&program, format!("#!/bin/sh\nulimit -n {descriptors}\nexec '{exe}' \"$@\"\n"))
        .expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    program
}

/// The processor time that it has used, in ticks of 10 ms.
fn ticks(balance: &Balance) -> u64 {
    let stat =
        fs::read_to_string(format!("/proc/{}/stat", balance.pid().as_raw_nonzero())).expect("it lives");
    let behind = stat.rsplit(')').next().expect("its name is in brackets");
    behind.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[test]
fn clients_for_whom_no_descriptor_is_left_wait_until_one_is_free() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::named("there");
    let address = server.address.to_string();
    // Each connection needs two, and 64 are set aside.
    let balance = Balance::start_program(&limited(&directory, 84), &["--backend", &address]);
    let mut clients: Vec<TcpStream> = (0..40).map(|_| balance.connect()).collect();
    for client in &mut clients {
        client.write_all(b"?\n").expect("sent");
    }
    for client in &mut clients[..10] {
        assert_eq!(line(client), "there");
    }
    let before = ticks(&balance);
    clients[10].set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    assert!(clients[10].read(&mut [0]).is_err(), "it waits");
    assert!(ticks(&balance) - before < 20, "it spins");
    clients[10].set_read_timeout(Some(crate::world::DEADLINE)).expect("a timeout");
    while !clients.is_empty() {
        let rest = clients.split_off(clients.len().min(10));
        for client in &mut clients {
            // The first ten have been answered.
            client.write_all(b"?\n").expect("sent");
            assert_eq!(line(client), "there");
        }
        clients = rest;
    }
    assert_eq!(balance.ask(), "there");
}

#[test]
fn many_transfers_with_hardly_a_pipe_are_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::echo_at_the_end();
    let address = server.address.to_string();
    let balance = Balance::start_program(&limited(&directory, 84), &["--backend", &address]);
    let transfers: Vec<_> = (0..10_u8)
        .map(|seed| {
            let mut stream = balance.connect();
            thread::spawn(move || {
                let sent = vec![seed; 3_000_000];
                stream.write_all(&sent).expect("sent");
                stream.shutdown(Shutdown::Write).expect("ended");
                let mut received = Vec::new();
                stream.read_to_end(&mut received).expect("all of it");
                assert!(received == sent);
            })
        })
        .collect();
    for transfer in transfers {
        transfer.join().expect("it is whole");
    }
}

/// Raises the limit of descriptors as far as it goes, for this process and those that it starts.
fn raise_descriptors() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.map(|maximum| maximum.max(50_000));
    // Root alone may raise the hard limit.
    if setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted }).is_ok() {
        return wanted;
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("raised to the hard limit");
    maximum
}

#[test]
fn thousands_that_say_nothing_are_held_in_little_memory_and_others_are_served() {
    let maximum = raise_descriptors();
    let count = long(1_000, 10_000);
    // The clients and the servers are in this process, with a thread for each, beside those of other tests.
    let most = maximum.map_or(usize::MAX, |most| usize::try_from(most).expect("a count") / 2 - 1_000);
    let count = count.min(most);
    let server = Server::new(|stream| drop(std::io::copy(&mut &stream, &mut &stream)));
    let balance = Balance::before(&[&server], &[]);
    let clients: Vec<TcpStream> = (0..count).map(|_| balance.connect()).collect();
    let mut supervisor = balance.supervisor();
    eventually("all are held", || {
        let numbers = supervisor.numbers();
        if numbers["backends"][0]["open"] == clients.len() { Ok(()) } else { Err(numbers.to_string()) }
    });
    assert_eq!(balance.ask(), "?");
    let kibibytes = balance.memory();
    assert!(kibibytes < 3_000 + 4 * clients.len(), "{kibibytes} KiB for {}", clients.len());
    drop(clients);
    eventually("all are over", || {
        let numbers = supervisor.numbers();
        if numbers["open"] == 0 { Ok(()) } else { Err(numbers.to_string()) }
    });
}
