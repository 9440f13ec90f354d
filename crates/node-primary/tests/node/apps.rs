//! Unmodified Node programs of many kinds are served in several processes, which share the connections.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::clients::{get, get_through, gets};
use crate::fleet::{Fleet, app, node, port};

/// Serves an app in three processes, and checks that each answers a third of the requests.
fn is_spread(name: &str, ports: &[&str]) {
    let Some(node) = node() else { return };
    let chosen: Vec<(&str, u16)> = ports.iter().map(|name| (*name, port())).collect();
    let environment: Vec<(&str, String)> =
        chosen.iter().map(|(name, port)| (*name, port.to_string())).collect();
    let mut fleet = Fleet::new(&node, app(name), &environment);
    fleet.start_all(3);
    let places = chosen.len();
    fleet.until("it listens everywhere", |fleet| fleet.primary.places().count() == places);
    for (_, port) in chosen {
        let answered = fleet.serve(move || gets(port, 30));
        assert_eq!(answered.values().collect::<Vec<_>>(), [&10, &10, &10], "{name}: {answered:?}");
    }
}

#[test]
fn http_that_listens_at_a_port() {
    is_spread("http.js", &["PORT"]);
}

#[test]
fn what_is_built_like_a_framework_and_listens_at_a_host() {
    is_spread("framework.js", &["PORT"]);
}

#[test]
fn a_module_that_listens_with_options() {
    is_spread("module.mjs", &["PORT"]);
}

#[test]
fn two_ports() {
    is_spread("two.js", &["PORT", "SECOND"]);
}

#[test]
fn a_program_that_forks_by_itself_where_nobody_does() {
    is_spread("own-cluster.js", &["PORT"]);
}

#[test]
fn a_free_port_is_the_same_one_in_all_processes() {
    let Some(node) = node() else { return };
    let mut fleet = Fleet::new(&node, app("free-port.js"), &[]);
    fleet.start_all(3);
    fleet.until("each has said its port", |fleet| fleet.messages().len() == 3);
    let said: BTreeSet<String> = fleet.messages().into_iter().collect();
    let said: Vec<String> = said.into_iter().collect();
    let [said] = &said[..] else { panic!("{said:?}") };
    let port = said.trim_start_matches("{\"port\":").trim_end_matches('}').parse().expect("a port");
    assert_eq!(fleet.serve(move || gets(port, 30)).len(), 3);
}

#[test]
fn plain_connections_and_their_bytes() {
    let Some(node) = node() else { return };
    let port = port();
    let mut fleet = Fleet::new(&node, app("echo.js"), &[("PORT", port.to_string())]);
    fleet.start_all(2);
    let pids = fleet.serve(move || {
        let talk = |_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            stream.write_all(b"hello\n").expect("written");
            stream.shutdown(std::net::Shutdown::Write).expect("ended");
            let mut said = String::new();
            stream.read_to_string(&mut said).expect("read");
            let (pid, echo) = said.split_once('\n').expect("two lines");
            assert_eq!(echo, "hello\n");
            pid.to_owned()
        };
        (0..10).map(talk).collect::<BTreeSet<String>>()
    });
    assert_eq!(pids.len(), 2, "{pids:?}");
}

#[test]
fn an_upgrade_as_of_a_websocket() {
    let Some(node) = node() else { return };
    let port = port();
    let mut fleet = Fleet::new(&node, app("upgrade.js"), &[("PORT", port.to_string())]);
    fleet.start_all(2);
    fleet.serve(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let request = "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("written");
        let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a head");
        }
        stream.write_all(b"ping\n").expect("written");
        line.clear();
        reader.read_line(&mut line).expect("an echo");
        assert_eq!(line, "ping\n");
    });
}

#[test]
fn workers_that_have_the_socket_themselves_serve_and_leave_as_well() {
    let Some(node) = node() else { return };
    let port = port();
    let mut fleet = Fleet::sharing(&node, app("http.js"), &[("PORT", port.to_string())]);
    let ids = fleet.start_all(2);
    fleet.serve(move || gets(port, 10));
    assert_eq!(fleet.primary.taken(ids[0]) + fleet.primary.taken(ids[1]), 0, "the kernel hands them out");
    fleet.drain(ids[0]);
    let answered = fleet.serve(move || gets(port, 10));
    assert_eq!(answered.into_keys().collect::<Vec<_>>(), [format!("pid {}", fleet.workers[&ids[1]].id())]);
}

#[test]
fn datagrams_have_one_socket_that_all_processes_share() {
    let Some(node) = node() else { return };
    let port = port();
    let mut fleet = Fleet::new(&node, app("datagrams.js"), &[("PORT", port.to_string())]);
    let ids = fleet.start_all(2);
    let ask = move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        socket.send_to(b"who", ("127.0.0.1", port)).expect("sent");
        let mut answer = [0; 64];
        let (size, _) = socket.recv_from(&mut answer).expect("an answer");
        assert!(answer[..size].starts_with(b"pid "));
    };
    fleet.serve(ask);
    fleet.drain(ids[0]);
    fleet.serve(ask);
}

#[test]
fn a_unix_socket_whose_file_each_process_removes_first() {
    let Some(node) = node() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.sock");
    let mut fleet = Fleet::new(&node, app("path.js"), &[("AT", path.display().to_string())]);
    let first = fleet.start_all(2);
    let at = path.clone();
    let ask = move || get_through(UnixStream::connect(&at).expect("it listens")).expect("an answer");
    let pids: BTreeSet<String> = (0..10).map(|_| fleet.serve(ask.clone())).collect();
    assert_eq!(pids.len(), 2, "{pids:?}");

    fleet.start_all(1);
    for id in first {
        fleet.drain(id);
    }
    let later = fleet.serve(ask);
    assert!(!pids.contains(&later));
    fleet.workers.iter_mut().for_each(|(_, child)| child.kill().expect("killed"));
    fleet.until("it has ended", |fleet| fleet.workers.keys().all(|id| fleet.primary.phase(*id).is_none()));
    fleet.primary.close_unused();
    assert!(!path.exists());
}

#[test]
fn a_port_that_somebody_else_has_is_refused_as_node_knows_it() {
    let Some(node) = node() else { return };
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("bound").port();
    let mut fleet = Fleet::new(&node, app("taken.js"), &[("PORT", port.to_string())]);
    let id = fleet.start();
    fleet.until("it was told", |fleet| !fleet.messages().is_empty());
    assert_eq!(fleet.messages(), ["{\"code\":\"EADDRINUSE\"}"]);
    let why = format!("{:?}", fleet.events);
    assert!(why.contains("CannotListen") && why.contains(&port.to_string()), "{why}");
    assert!(!fleet.listens(id));
    drop(other);
    let _ = get(port).expect_err("nobody listens");
}
