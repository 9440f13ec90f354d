//! `deploy --pass-socket`: instances get the listening sockets of the app's address, and accept their clients themselves.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::asking::{Clients, ask, found, is_closed, kill, kill_supervisors, some_address};
use crate::home::{Home, eventually, listening};

/// A server that takes its sockets as sd_listen_fds(3) does, says that it is ready, and finishes what it has begun when it is told to end. It
/// answers with its pid, with the address of the client, or with what it was given.
const SERVER: &str = r"import json, os, signal, socket, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

count = int(os.environ['LISTEN_FDS']) if os.environ.get('LISTEN_PID') == str(os.getpid()) else 0
given = {name: os.environ.get(name) for name in ('LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'PORT')}
given['open'] = sorted(int(name) for name in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{name}'))
if not count:
    sys.exit(f'no socket for {os.getpid()}: {given}')

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = {'/pid': str(os.getpid()), '/client': '%s:%s' % self.client_address[:2], '/given': json.dumps(given)}
        body = body.get(self.path, '').encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = False

servers = []
for number in range(3, 3 + count):
    taken = socket.socket(fileno=number)
    server = Server(taken.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = taken
    servers.append(server)
threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
# A handler would run in the main thread alone, and not before that one leaves a join() that it has just begun.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
[thread.start() for thread in threads]
if 'NOTIFY_SOCKET' in os.environ:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
signal.sigwait([signal.SIGTERM])
[server.shutdown() for server in servers]
[thread.join() for thread in threads]
[server.server_close() for server in servers]
";
const NODE: &str = "const server = require('http').createServer((request, response) => response.end(`${process.pid}`));\n\
    process.on('SIGTERM', () => server.close(() => process.exit(0)));\n\
    server.listen({ fd: 3 });\n";
const NOTIFY: &str = r#"{"formation": {"web": {"ready": "notify", "start_timeout_seconds": 20}}}"#;
const SECOND: &str = r#"{"healthchecks": {"web": [{"type": "startup", "uptime": 1}]}}"#;
const WEB: &str = "web: exec python3 server.py\n";

/// A home with the source of a server that takes its sockets.
fn sources() -> (Home, String) {
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    home.write("shop/server.py", SERVER);
    home.write("shop/app.json", NOTIFY);
    (home, source)
}

/// An app with so many instances that accept their clients themselves.
fn reached(count: &str) -> (Home, String, SocketAddr) {
    let (home, source) = sources();
    let address = some_address();
    let listen = ["--listen", &address.to_string(), "--pass-socket", "--scale", count];
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let ran = home.run(&[&deploy[..], &listen].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("its instances accept clients themselves"), "{ran:?}");
    (home, source, address)
}

fn given(address: SocketAddr) -> Value {
    serde_json::from_str(&ask(address, "/given").expect("it is there")).expect("JSON")
}

fn balances(home: &Home) -> usize {
    found(home, "ps-balance ").len()
}

#[test]
fn an_instance_has_the_socket_and_nothing_else_and_sees_its_clients_own_address() {
    let _listening = listening();
    let (home, _, address) = reached("web=1");
    let pid = home.pids("shop")["web.1"].to_string();
    let given = given(address);
    assert_eq!(given["LISTEN_PID"], pid.as_str(), "{given}");
    assert_eq!((&given["LISTEN_FDS"], &given["LISTEN_FDNAMES"]), (&"1".into(), &"web".into()), "{given}");
    assert_eq!(given["PORT"], address.port().to_string(), "{given}");
    assert_eq!(given["open"], serde_json::json!([0, 1, 2, 3]));
    let stream = TcpStream::connect(address).expect("it is there");
    let own = stream.local_addr().expect("connected");
    drop(stream);
    let seen: SocketAddr = ask(address, "/client").expect("an answer").parse().expect("an address");
    assert_eq!(seen.ip(), own.ip());
    assert_ne!(seen.port(), address.port());
    assert_eq!(balances(&home), 0);
    let row = &home.status("shop")[0];
    assert_eq!((&row["has_socket"], &row["port"]), (&Value::from(true), &Value::Null), "{row}");
    let says = home.does(&["ps-lifecycle", "status", "shop"]);
    let line = format!("shop is reached at {address}, where its instances accept clients themselves");
    assert!(says.contains(&line), "{says}");
    let shown = home.does(&["ps-lifecycle", "proxy", "shop", "--format", "csv"]);
    assert!(shown.contains("shop,pass-socket,true,true"), "{shown}");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    is_closed(address);
}

#[test]
fn an_app_with_several_addresses_has_a_socket_for_each_in_their_order() {
    let _listening = listening();
    let (home, source) = sources();
    let both = [some_address(), some_address()];
    let words = both.map(|address| address.to_string());
    let listen = ["--listen", &words[0], &words[1], "--pass-socket"];
    home.does(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source][..], &listen].concat());
    for address in both {
        let given = given(address);
        assert_eq!((&given["LISTEN_FDS"], &given["LISTEN_FDNAMES"]), (&"2".into(), &"web:web".into()));
        assert_eq!(given["PORT"], both[0].port().to_string());
    }
}

#[test]
fn no_request_fails_while_releases_counts_and_supervisors_change() {
    let _listening = listening();
    let (home, source, address) = reached("web=2");
    let clients = Clients::of(address);
    clients.go_on(20);
    let before = home.pids("shop");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    for verb in [&deploy[..], &["ps-lifecycle", "restart", "shop"], &["ps-scale", "shop", "web=3"]] {
        home.does(verb);
        clients.go_on(20);
        assert!(clients.are_content(), "{verb:?}: {:?}", clients.end());
    }
    assert!(home.pids("shop").values().all(|pid| !before.values().any(|old| old == pid)), "all are new");
    let all: BTreeSet<String> = home.pids("shop").values().map(u64::to_string).collect();
    let mut seen = BTreeSet::new();
    eventually("each of the three accepts from the one queue", || {
        seen.extend((0..20).map(|_| ask(address, "/pid").expect("an answer")));
        if seen == all { Ok(()) } else { Err(format!("{seen:?} of {all:?}")) }
    });
    home.does(&["ps-scale", "shop", "web=1"]);
    clients.go_on(20);
    assert!(clients.are_content(), "fewer instances: {:?}", clients.end());
    let one = home.pids("shop");
    for _ in 0..3 {
        kill_supervisors(&home);
        clients.go_on(20);
        eventually("another supervisor is there", || {
            if home.supervisors().is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
        });
    }
    assert_eq!(home.pids("shop"), one, "no instance has noticed");
    assert!(clients.are_content(), "killed supervisors: {:?}", clients.end());
    home.does(&["ps-lifecycle", "restart", "shop"]);
    clients.go_on(20);
    assert_eq!(clients.end(), Vec::<String>::new());
    assert_ne!(home.pids("shop"), one);
    assert_eq!(balances(&home), 0, "no ps-balance was ever of use");
}

#[test]
fn a_server_of_node_loses_no_request_in_ten_restarts() {
    let _listening = listening();
    if Command::new("node").arg("--version").output().is_err() {
        return skipped::skip("no node on this machine");
    }
    let home = Home::as_installed();
    let address = some_address();
    let source = home.source("shop", "web: exec node server.js\n");
    home.write("shop/server.js", NODE);
    home.write("shop/app.json", SECOND);
    let listen = ["--listen", &address.to_string(), "--pass-socket"];
    home.does(
        &[&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2"][..], &listen].concat(),
    );
    let clients = Clients::of(address);
    for _ in 0..10 {
        clients.go_on(20);
        home.does(&["ps-lifecycle", "restart", "shop"]);
    }
    clients.go_on(20);
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn where_all_instances_and_keepers_of_the_socket_are_killed_but_one_the_socket_is_handed_on() {
    let _listening = listening();
    let (home, _, address) = reached("web=1");
    // The instance alone has the socket.
    home.without_root();
    kill(|| home.supervisors());
    let clients = Clients::of(address);
    clients.go_on(5);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    clients.go_on(5);
    assert_eq!(clients.end(), Vec::<String>::new());
    // The supervisor alone has it: a client waits until the next instance is there.
    let before = home.pids("shop")["web.1"];
    let waits = std::thread::spawn(move || ask(address, "/pid"));
    kill(|| found(&home, "server.py"));
    assert!(waits.join().expect("no panic").is_ok() || ask(address, "/pid").is_ok());
    for _ in 0..5 {
        let pid = ask(address, "/pid").expect("nobody is refused");
        assert_ne!(pid, before.to_string());
    }
}

#[test]
fn an_app_comes_from_ps_balance_and_goes_back_without_a_failed_request() {
    let _listening = listening();
    let home = Home::as_installed();
    let address = some_address();
    // The same server, which listens by itself where it is given no socket.
    let server = SERVER.replace(
        "if not count:\n    sys.exit(f'no socket for {os.getpid()}: {given}')\n",
        "if not count:\n    held = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n    os.dup2(held.fileno(), 3)\n    count = 1\n",
    );
    assert_ne!(server, SERVER);
    let source = home.source("shop", WEB);
    home.write("shop/server.py", &server);
    home.write("shop/app.json", NOTIFY);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.does(&[&deploy[..], &["--scale", "web=2", "--listen", &address.to_string()]].concat());
    let clients = Clients::of(address);
    clients.go_on(20);
    assert_eq!(balances(&home), 1);
    for _ in 0..2 {
        home.does(&[&deploy[..], &["--pass-socket"]].concat());
        clients.go_on(20);
        eventually("ps-balance has left", || {
            if balances(&home) == 0 { Ok(()) } else { Err("it lives".to_owned()) }
        });
        clients.go_on(20);
        home.does(&["ps-lifecycle", "proxy", "shop", "--pass-socket=false"]);
        clients.go_on(20);
        assert_eq!((balances(&home), &home.status("shop")[0]["has_socket"]), (1, &Value::Null));
    }
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_had_beside_it_is_refused_and_nothing_has_changed() {
    let _listening = listening();
    let (home, source, address) = reached("web=1");
    let (pids, settings) = (home.pids("shop"), home.settings());
    let deploy = |words: &[&str]| {
        home.run(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source][..], words].concat())
    };
    deploy(&["--require", "zero-failed"]).is_refused(2, &["accept clients themselves", "cannot be counted"]);
    let restart = home.run(&["ps-lifecycle", "restart", "shop", "--require", "zero-failed"]);
    restart.is_refused(2, &["accept clients themselves"]);
    let scaled = home.run(&["ps-scale", "shop", "web=2", "--require", "zero-failed"]);
    assert!(scaled.status == Some(2) && scaled.stderr.contains("accept clients themselves"), "{scaled:?}");
    deploy(&["--canary", "5%", "--for", "2s"]).is_refused(2, &["gives a canary its share"]);
    deploy(&["--http"]).is_refused(2, &["--http has no effect"]);
    deploy(&["--hold", "5"]).is_refused(2, &["--hold has no effect"]);
    deploy(&["--proxy-out", "v2"]).is_refused(2, &["--proxy-out has no effect"]);
    for (app_json, says) in [
        (r#"{"formation": {"web": {"ready": "listening"}}}"#, "set web.ready to notify"),
        (
            r#"{"healthchecks": {"web": [{"type": "startup", "path": "/"}]}}"#,
            "which of them answers the check",
        ),
        (
            r#"{"healthchecks": {"web": [{"type": "liveness", "listening": true}]}}"#,
            "which of them answers the check",
        ),
    ] {
        home.write("shop/app.json", app_json);
        deploy(&[]).is_refused(1, &[says, "what ran runs on"]);
    }
    assert_eq!(home.pids("shop"), pids);
    crate::home::assert_same(&settings, &home.settings());
    assert_eq!(ask(address, "/pid"), Ok(pids["web.1"].to_string()));
}

#[test]
fn a_release_that_is_never_ready_leaves_the_old_one_and_one_that_takes_no_socket_says_why_it_fails() {
    let _listening = listening();
    let (home, source, address) = reached("web=1");
    let pids = home.pids("shop");
    home.write("shop/Procfile", "web: exec python3 -m http.server $PORT --bind 127.0.0.1\n");
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert!(ran.status == Some(1) && ran.stderr.contains("Address already in use"), "{ran:?}");
    assert_eq!(home.pids("shop"), pids);
    for _ in 0..20 {
        assert_eq!(ask(address, "/pid"), Ok(pids["web.1"].to_string()));
    }
}

#[test]
fn clients_that_nobody_accepts_are_explained() {
    let _listening = listening();
    let (home, source, address) = reached("web=1");
    home.write("shop/app.json", SECOND);
    let explained = |procfile: &str| {
        home.write("shop/Procfile", procfile);
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        let waits = TcpStream::connect(address).expect("the kernel takes it in");
        let says = home.run(&["ps-explain", "shop"]).stdout;
        drop(waits);
        says
    };
    let says = explained("web: exec sleep 1000\n");
    assert!(
        says.contains(&format!("at {address}, and no instance accepts")) && says.contains("LISTEN_FDS"),
        "{says}"
    );
    let says = explained("web: true && sleep 1000; true\n");
    assert!(
        says.contains("the main process of web.1 is") && says.contains("start the program with exec"),
        "{says}"
    );
}

#[test]
fn instances_that_share_a_port_by_themselves_are_told_of_and_promise_nothing() {
    let _listening = listening();
    let home = Home::as_installed();
    let port = some_address().port();
    let server = format!(
        "import socket, time\nheld = socket.create_server(('127.0.0.1', {port}), reuse_port=True)\ntime.sleep(1000)\n"
    );
    let source = home.source("shop", "web: exec python3 server.py\n");
    home.write("shop/server.py", &server);
    home.write("shop/app.json", r#"{"formation": {"web": {"ready": "alive"}}, "healthchecks": {"web": [{"type": "startup", "uptime": 1}]}}"#);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", "none"];
    let ran = home.run(&[&deploy[..], &["--scale", "web=2"]].concat());
    let says = format!("the instances of web share port {port} (SO_REUSEPORT)");
    assert!(ran.status == Some(0) && ran.stderr.contains(&says), "{ran:?}");
    home.run(&[&deploy[..], &["--require", "zero-failed"]].concat()).is_refused(2, &["has no address"]);
    let one = home.run(&[&deploy[..], &["--scale", "web=1"]].concat());
    assert!(one.status == Some(0) && !one.stderr.contains("SO_REUSEPORT"), "{one:?}");
}
