//! The program replaces itself, and no connection notices.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::world::{Balance, DEADLINE, Server, Supervisor, backend, connect, eventually, line, long, nobody};

/// After so many bytes a transfer begins again.
const PERIOD: usize = 1 << 24;
/// At most so many bytes are sent at once.
const BURST: usize = 400_000;

/// Bytes from a place of a transfer on. They differ from those around them, and from those at the same place of another transfer. They are
/// made once, and compared as a whole: otherwise a thousand transfers leave no CPU to what is tested.
fn bytes(place: u64, seed: u64, count: usize) -> &'static [u8] {
    static ALL: OnceLock<Vec<u8>> = OnceLock::new();
    let byte = |place: usize| (place.wrapping_mul(31) ^ (place >> 8) ^ (place >> 16)).to_le_bytes()[0];
    let all = ALL.get_or_init(|| (0..PERIOD + BURST).map(byte).collect());
    let begin = usize::try_from((place + seed * 7_919) % PERIOD as u64).expect("it is below the period");
    &all[begin..begin + count]
}

/// Sends back what it gets as it comes.
fn echo() -> Server {
    Server::new(|mut stream| {
        let mut part = vec![0; 20_000];
        while let Ok(read @ 1..) = stream.read(&mut part) {
            if stream.write_all(&part[..read]).is_err() {
                return;
            }
        }
        let _ = stream.shutdown(Shutdown::Write);
    })
}

/// After how long without a byte a transfer hangs, on a machine with much else to do.
const HANGS: Duration = Duration::from_secs(60);
/// How many transfers send at the pace of [`transfer`]. More of them send more slowly, so that all together send as much: what is tested is
/// whether bytes arrive, not how many this machine can move.
const AT_FULL_PACE: usize = 60;

/// Sends a stream of bytes until it is told to stop, and compares what comes back: how many bytes, or what was wrong. It is one of `count`
/// that do so.
fn transfer(
    stream: TcpStream,
    seed: u64,
    count: usize,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<Result<u64, String>> {
    let slower = count.div_ceil(AT_FULL_PACE) as u64;
    let (mut reader, stop) = (stream.try_clone().expect("a second handle"), Arc::clone(stop));
    reader.set_read_timeout(Some(HANGS)).expect("a timeout");
    let sending = thread::spawn(move || {
        // Every fourth sends bursts that fill buffers and pipes.
        let (count, pause) = if seed.is_multiple_of(4) { (BURST, 150) } else { (3_000, 30) };
        let (mut stream, mut sent) = (stream, 0);
        while !stop.load(Ordering::SeqCst) {
            stream
                .write_all(bytes(sent, seed, count))
                .map_err(|error| format!("after {sent} bytes: {error}"))?;
            sent += count as u64;
            thread::sleep(Duration::from_millis(pause * slower));
        }
        stream.shutdown(Shutdown::Write).map_err(|error| error.to_string())?;
        Ok::<u64, String>(sent)
    });
    thread::spawn(move || {
        let (mut part, mut place) = (vec![0; 10_000], 0);
        loop {
            let read = reader.read(&mut part).map_err(|error| format!("at {place}: {error}"))?;
            if read == 0 {
                break;
            }
            if part[..read] != *bytes(place, seed, read) {
                return Err(format!("of {read} bytes from {place} on some are others"));
            }
            place += read as u64;
        }
        let sent: u64 = sending.join().expect("no panic")?;
        if sent == place { Ok(sent) } else { Err(format!("{sent} were sent, {place} came back")) }
    })
}

fn transfers(
    balance: &Balance,
    count: usize,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<Result<u64, String>>> {
    (0..count).map(|seed| transfer(balance.connect(), seed as u64, count, stop)).collect()
}

/// Has it replace itself, and waits until the new one has said hello.
fn upgrade(supervisor: &mut Supervisor) {
    supervisor.say(&json!({"upgrade": {}}));
    assert_eq!(supervisor.hear_of("hello")["version"], 1);
}

#[test]
fn long_transfers_go_on_over_upgrades_and_every_byte_arrives() {
    let server = echo();
    let balance = Balance::before(&[&server], &[]);
    let stop = Arc::new(AtomicBool::new(false));
    let count = long(60, 1_000);
    let running = transfers(&balance, count, &stop);
    let mut supervisor = balance.supervisor();
    let upgrades = long(5, 100);
    for _ in 0..upgrades {
        upgrade(&mut supervisor);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(supervisor.numbers()["open"], count);
    stop.store(true, Ordering::SeqCst);
    let moved: Vec<_> = running.into_iter().map(|it| it.join().expect("no panic")).collect();
    let failed: Vec<_> = moved.iter().filter(|it| it.is_err()).collect();
    assert!(failed.is_empty(), "{} of {count} failed: {:?}", failed.len(), failed[0]);
    let all: u64 = moved.into_iter().flatten().sum();
    let said =
        format!("{upgrades} upgrades under {count} transfers of {all} bytes: 0 closed, every byte is right");
    let _ = writeln!(std::io::stderr(), "{said}");
    eventually("all are counted", || {
        let numbers = supervisor.numbers();
        let is_all = numbers["open"] == 0 && numbers["bytes_in"] == all && numbers["bytes_out"] == all;
        if is_all && numbers["accepted"] == count { Ok(()) } else { Err(format!("{all}: {numbers}")) }
    });
}

#[test]
fn the_same_transfers_fail_when_another_program_takes_its_place_as_usual() {
    let server = echo();
    let mut balance = Balance::before(&[&server], &["--drain-limit", "1"]);
    let stop = Arc::new(AtomicBool::new(false));
    let running = transfers(&balance, 20, &stop);
    let mut supervisor = balance.supervisor();
    eventually("they run", || {
        let numbers = supervisor.numbers();
        if numbers["open"] == 20 { Ok(()) } else { Err(numbers.to_string()) }
    });
    balance.signal(Signal::TERM);
    assert_eq!(balance.ended(), Some(0));
    stop.store(true, Ordering::SeqCst);
    let failed = running.into_iter().filter_map(|it| it.join().expect("no panic").err()).count();
    assert_eq!(failed, 20);
}

/// A process of another program; it is killed at the end of its test.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// So often haproxy is told to reload, and so long it may take: more than the second after which its old process ends.
const RELOADS: usize = 12;
const PATIENCE_OF_HAPROXY: Duration = Duration::from_secs(5);

/// haproxy, with the libraries that `scripts/setup` has unpacked beside it.
fn haproxy() -> Option<Command> {
    let program = skipped::server("usr/sbin/haproxy")?;
    let root = program.ancestors().nth(3).expect("it has a path of three names");
    let mut command = Command::new(&program);
    command.env("LD_LIBRARY_PATH", root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
    Some(command)
}

#[test]
fn the_same_transfers_fail_when_haproxy_is_reloaded_and_its_old_process_may_not_stay() {
    let (server, address) = (echo(), nobody());
    let directory = tempfile::tempdir().expect("a directory");
    let configuration = directory.path().join("haproxy.cfg");
    let text = format!(
        "global\n hard-stop-after 1s\ndefaults\n mode tcp\n timeout connect 20s\n timeout client 60s\n timeout server 60s\n\
         listen shop\n bind {address}\n server web {}\n",
        server.address
    );
    fs::write(&configuration, text).expect("written");
    let Some(mut program) = haproxy() else { return };
    let haproxy =
        Other(program.args(["-W", "-db", "-q", "-f"]).arg(&configuration).spawn().expect("it starts"));
    eventually("it accepts", || TcpStream::connect(address).map(drop).map_err(|error| error.to_string()));
    let stop = Arc::new(AtomicBool::new(false));
    let mut first = connect(address);
    first.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut first), "?");
    let before = server.connections.load(Ordering::SeqCst);
    let running: Vec<_> = (0..20).map(|seed| transfer(connect(address), seed, 20, &stop)).collect();
    eventually("they run", || match server.connections.load(Ordering::SeqCst) - before {
        // The one that looked whether it accepts may come late.
        20.. => Ok(()),
        fewer => Err(fewer.to_string()),
    });
    // Nobody is told to stop: each of them ends because it is cut off. A signal that comes while haproxy still starts is lost.
    let is_over = || running.iter().all(JoinHandle::is_finished);
    for _ in 0..RELOADS {
        kill_process(Pid::from_child(&haproxy.0), Signal::USR2).expect("it lives");
        let asked = Instant::now();
        while !is_over() && asked.elapsed() < PATIENCE_OF_HAPROXY {
            thread::sleep(Duration::from_millis(20));
        }
        if is_over() {
            break;
        }
    }
    assert!(is_over(), "haproxy was told to reload and did not");
    let failed = running.into_iter().filter_map(|it| it.join().expect("no panic").err()).count();
    assert_eq!(failed, 20);
    TcpStream::connect(address).expect("the new process accepts");
}

#[test]
fn connections_that_wait_and_what_was_ordered_go_on_over_an_upgrade() {
    let server = Server::named("there");
    let balance = Balance::start(&[]);
    let mut held = balance.connect();
    held.write_all(b"?\n").expect("sent");
    let mut supervisor = balance.supervisor();
    // Half of a request is on its way.
    let request =
        format!("{}\n", json!({"set": {"revision": 5, "backends": [backend("web.1", &server, "ready")]}}));
    let (begin, rest) = request.split_at(20);
    let mut other = UnixStream::connect(&balance.control).expect("the control socket");
    other.write_all(begin.as_bytes()).expect("sent");
    eventually("the connection waits", || {
        let numbers = supervisor.numbers();
        if numbers["open"] == 1 { Ok(()) } else { Err(numbers.to_string()) }
    });
    let pid = balance.pid();
    balance.signal(Signal::USR2);
    assert_eq!(supervisor.hear_of("hello")["mode"], "tcp");
    other.write_all(rest.as_bytes()).expect("sent");
    assert_eq!(line(&mut held), "there");
    assert_eq!(balance.pid(), pid);
    // Who was the supervisor still is.
    supervisor.set(6, &[]);
    drop(held);
    assert_eq!(supervisor.hear_of("drained")["id"], "web.1");
    upgrade(&mut supervisor);
    let before = balance.descriptors();
    for _ in 0..5 {
        upgrade(&mut supervisor);
    }
    assert!(balance.descriptors() <= before + 1, "descriptors add up");
}

/// A copy of the program, which may be replaced.
fn copy(directory: &tempfile::TempDir) -> PathBuf {
    let program = directory.path().join("ps-balance");
    fs::copy(env!("CARGO_BIN_EXE_ps-balance"), &program).expect("copied");
    program
}

#[test]
fn what_is_installed_meanwhile_is_executed() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = copy(&directory);
    let server = Server::named("there");
    let backend = server.address.to_string();
    let balance = Balance::start_program(&program, &["--backend", &backend]);
    let next = directory.path().join("next");
    fs::copy(&program, &next).expect("copied");
    fs::rename(&next, &program).expect("replaced");
    let mut client = balance.connect();
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    upgrade(&mut balance.supervisor());
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    let executed = fs::read_link(format!("/proc/{}/exe", balance.pid().as_raw_nonzero())).expect("it lives");
    assert_eq!(executed, program, "not the file that was replaced");
}

#[test]
fn a_program_that_cannot_take_over_is_not_executed_and_everything_goes_on() {
    for broken in ["#!/bin/sh\nexit 1\n", "no program", "#!/bin/sh\nexec sleep 600\n", ""] {
        let directory = tempfile::tempdir().expect("a directory");
        let program = copy(&directory);
        let server = Server::named("there");
        let backend = server.address.to_string();
        let balance = Balance::start_program(&program, &["--backend", &backend]);
        let mut client = balance.connect();
        client.write_all(b"?\n").expect("sent");
        assert_eq!(line(&mut client), "there");
        fs::remove_file(&program).expect("removed");
        if !broken.is_empty() {
            fs::write(&program, broken).expect("written");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let mut supervisor = balance.supervisor();
        supervisor.say(&json!({"upgrade": {}}));
        // Others are served while it asks.
        assert_eq!(balance.ask(), "there");
        let refused = supervisor.hear_of("refused");
        assert!(
            refused["reason"].as_str().is_some_and(|it| it.contains("cannot replace itself")),
            "{refused}"
        );
        client.write_all(b"?\n").expect("sent");
        assert_eq!(line(&mut client), "there");
    }
}

#[test]
fn who_is_told_to_end_while_it_replaces_itself_ends() {
    let server = Server::named("there");
    let mut balance = Balance::before(&[&server], &[]);
    let mut client = balance.connect();
    client.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    for _ in 0..5 {
        balance.signal(Signal::USR2);
    }
    balance.signal(Signal::TERM);
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    balance.signal(Signal::USR2);
    client.write_all(b"?\n").expect("sent");
    assert_eq!(line(&mut client), "there");
    drop(client);
    assert_eq!(balance.ended(), Some(0));
}
