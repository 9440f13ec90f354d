//! Rolling reloads under load: each worker is replaced by a new one that listens already, and leaves when its last connection has
//! ended. No client notices.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use node_primary::Id;
use rustix::process::Signal;

use crate::fleet::{Fleet, app, get, node, port, preload};

/// What a client has seen.
#[derive(Debug, Default)]
struct Seen {
    answered: BTreeMap<String, usize>,
    failed: Vec<String>,
}

/// Asks again and again, each time through a new connection.
fn anew(port: u16, is_over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !is_over.load(Ordering::Relaxed) {
        match get(port) {
            Ok(pid) => *seen.answered.entry(pid).or_default() += 1,
            Err(reason) => seen.failed.push(reason),
        }
    }
    seen
}

/// Asks through one connection for as long as the server keeps it.
fn kept(port: u16, is_over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !is_over.load(Ordering::Relaxed) {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let mut reader = BufReader::new(stream);
        while !is_over.load(Ordering::Relaxed) {
            match ask(&mut reader) {
                Ok((pid, is_kept)) => {
                    *seen.answered.entry(pid).or_default() += 1;
                    if !is_kept {
                        break;
                    }
                }
                Err(error) => {
                    seen.failed.push(error.to_string());
                    break;
                }
            }
        }
    }
    seen
}

fn ask(reader: &mut BufReader<TcpStream>) -> std::io::Result<(String, bool)> {
    reader.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")?;
    let (mut length, mut is_kept, mut line) = (0, true, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let field = line.trim_end().to_ascii_lowercase();
        if let Some(value) = field.strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        }
        is_kept &= field != "connection: close";
        if field.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((String::from_utf8_lossy(&body).into_owned(), is_kept))
}

/// How the old workers end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// They are told to leave.
    Told,
    /// The same, and no client keeps its connection.
    ToldWithoutKept,
    /// They are killed, which clients notice.
    Killed,
}

/// Reloads an app of `size` workers so often under the load of eight clients; what they have seen, and how many processes there were.
pub(crate) fn reload(node: &Path, size: usize, times: usize, manner: Manner) -> (usize, Vec<String>, usize) {
    let preload = format!("--require {}", preload().display());
    let port = port();
    let environment = [("PORT", port.to_string()), ("NODE_OPTIONS", preload)];
    let mut fleet = Fleet::new(node, app("http.js"), &environment);
    let mut present = fleet.start_all(size);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let is_over = is_over.clone();
            let client = if number % 2 == 0 || manner == Manner::ToldWithoutKept { anew } else { kept };
            std::thread::spawn(move || client(port, &is_over))
        })
        .collect();
    let mut leaving: Vec<Id> = Vec::new();
    for _ in 0..times {
        for place in &mut present {
            let next = fleet.start();
            fleet.until("the new one listens", |fleet| fleet.listens(next));
            let old = std::mem::replace(place, next);
            match manner {
                Manner::Told | Manner::ToldWithoutKept => fleet.primary.leave(old),
                Manner::Killed => fleet.signal(old, Signal::KILL),
            }
            leaving.push(old);
        }
    }
    let before: Vec<u64> = present.iter().map(|id| fleet.primary.taken(*id)).collect();
    fleet.until("all have left", |fleet| leaving.iter().all(|id| fleet.primary.phase(*id).is_none()));
    fleet.until("each is given 20 more", |fleet| {
        present.iter().zip(&before).all(|(id, before)| fleet.primary.taken(*id) >= before + 20)
    });
    is_over.store(true, Ordering::Relaxed);
    let seen: Vec<Seen> = clients.into_iter().map(|client| fleet.wait_for(client)).collect();
    let processes: BTreeSet<&String> = seen.iter().flat_map(|seen| seen.answered.keys()).collect();
    let answered = seen.iter().flat_map(|seen| seen.answered.values()).sum();
    let count = processes.len();
    (answered, seen.into_iter().flat_map(|seen| seen.failed).collect(), count)
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
fn rolling_reloads_lose_no_request_of_new_and_of_kept_connections() {
    let Some(node) = node() else { return };
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 200 } else { 3 };
    let (answered, failed, processes) = reload(&node, 4, times, Manner::Told);
    eprintln!("{times} reloads: {answered} answered by {processes} processes, {} failed", failed.len());
    assert_eq!(failed, [""; 0]);
    assert!(processes >= 4 * times, "only {processes} processes have answered");
}

#[test]
fn clients_that_keep_connections_notice_workers_that_are_killed() {
    let Some(node) = node() else { return };
    let (_, failed, _) = reload(&node, 2, 1, Manner::Killed);
    assert_ne!(failed, [""; 0], "the load of the test above would not see a loss");
}
