//! Logs are followed by one stream for each task, whatever releases come and go meanwhile.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use formation::Which;
use ps_scheduler::{LogLine, LogRequest, Scheduler};
use ps_scheduler_swarm::Swarm;
use swarm_cluster::Cluster;

use crate::place::Place;

const LIMIT: Duration = Duration::from_secs(60);

/// The paths of the requests that came through a proxy.
type Asked = Arc<Mutex<Vec<String>>>;

/// Listens on `socket` for the engine on another one.
fn proxy(engine: &Path, socket: &Path) -> Asked {
    let asked = Asked::default();
    let listener = UnixListener::bind(socket).expect("a socket");
    let (engine, notes) = (engine.to_owned(), Arc::clone(&asked));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let request = engine_proxy::head_and_body(&client);
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            notes.lock().expect("nobody panics").push(line);
            let mut engine = UnixStream::connect(&engine).expect("the engine");
            engine.write_all(&request).expect("takes the request");
            thread::spawn(move || hand_on(&engine, &client));
        }
    });
    asked
}

/// Hands an answer on until either side has gone; a client that goes takes the engine's side with it.
fn hand_on(engine: &UnixStream, client: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*client, &mut io::sink());
            let _ = engine.shutdown(Shutdown::Both);
        });
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = (&*engine).read(&mut piece) {
            if (&*client).write_all(&piece[..count]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    });
}

#[test]
fn lines_come_from_each_task_as_it_writes_them_through_a_release_and_no_task_is_asked_twice_for_them() {
    let Some(cluster) = Cluster::up(2) else { return };
    let place = Place::new(&cluster);
    // Each line is a number, so that one that is lost or comes twice is seen.
    let counts = |release: u8| {
        format!("n=0; while true; do n=$((n + 1)); echo \"{release} $HOSTNAME $n\"; sleep 0.2; done")
    };
    place.deploy(&counts(1), &["web=2"]).0.expect("it comes up");
    let socket = place.dir().join("proxy.sock");
    let asked = proxy(&cluster.socket(1), &socket);
    let swarm = Swarm::at(&place.world(), &socket);
    let (told, lines) = channel();
    let request = LogRequest { follow: true, ..LogRequest::last(place.app.clone(), Which::All, None) };
    let follower = thread::spawn(move || {
        let mut sink = |line: &LogLine| match told.send(String::from_utf8_lossy(&line.bytes).into_owned()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        swarm.logs(&request, &mut sink).map_err(|error| error.to_string())
    });
    let mut all: Vec<String> = Vec::new();
    let mut until = |what: &str, is_so: &dyn Fn(&[String]) -> bool| {
        while !is_so(&all) {
            all.push(lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{what}: {all:?}")));
        }
    };
    let writers = |all: &[String], release: &str| -> BTreeSet<String> {
        let words = all.iter().filter_map(|line| line.rsplit_once(' '));
        words.map(|(writer, _)| writer.to_owned()).filter(|writer| writer.starts_with(release)).collect()
    };
    until("two tasks write", &|all| all.len() > 40 && writers(all, "1 ").len() == 2);
    let of_logs =
        || asked.lock().expect("nobody panics").iter().filter(|line| line.contains("/logs?")).count();
    assert_eq!(of_logs(), 4, "what was there, and a stream: {:?}", asked.lock());
    place.deploy(&counts(2), &["web=2"]).0.expect("the next release comes up");
    until("two others write", &|all| writers(all, "2 ").len() == 2);
    place.stop("", true).expect("is removed");
    assert_eq!(follower.join().expect("nobody panics"), Ok(()), "it ends with the app");
    all.extend(lines.try_iter());
    for writer in writers(&all, "") {
        let numbers: Vec<usize> =
            all.iter().filter_map(|line| line.strip_prefix(&writer)?.trim().parse().ok()).collect();
        let expected: Vec<usize> = (1..=numbers.len()).collect();
        assert_eq!(numbers, expected, "{writer}: a line was lost, came twice, or out of order");
    }
}
