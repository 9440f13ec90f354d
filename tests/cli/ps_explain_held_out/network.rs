//! Ports that others have, and servers that are not there.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use crate::asking::some_address;
use crate::certificates::Made;
use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::home;
use crate::stage::{QUIET, Stage};

const IN_USE: &[&str] = &["in use", "taken", "port", "somebody", "listened on by"];
const REFUSED: &[&str] = &["connection refused", "refuses", "nobody listens", "cannot reach", "unreachable"];
const NAME: &[&str] = &["name", "dns", "resol", "host"];
const CERTIFICATE: &[&str] = &["certificate"];
const LISTENS: &str = "import http.server, os\nhttp.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.BaseHTTPRequestHandler).serve_forever()\n";

pub(crate) fn faults() -> Vec<Fault> {
    [ports(), servers(), names(), certificates()].into_iter().flatten().collect()
}

pub(crate) fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    (listener, port)
}

/// The app's own port, with somebody who listens there from when it was deployed on.
pub(crate) fn taken_port(stage: &Stage, command: &str) {
    let (listener, port) = taken();
    stage.keep(listener);
    stage.ends(command, &[("web.port", &port)]);
    stage.until_row("web.1", |row| row["state"] != "running" && row["state"] != "starting");
}

fn ports() -> Vec<Fault> {
    let kind = "a port is in use";
    vec![
        fault(kind, "its PORT, by a foreigner", IN_USE, |stage| {
            stage.file("app.py", LISTENS);
            taken_port(stage, "/usr/bin/python3 app.py");
        })
        .needing(PYTHON),
        fault(kind, "one in the code, node", IN_USE, |stage| {
            let (listener, port) = taken();
            stage.keep(listener);
            stage.file("app.js", &format!("require('http').createServer().listen({port}, '127.0.0.1');\n"));
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE),
        fault(kind, "one in the code, java", IN_USE, |stage| {
            let (listener, port) = taken();
            stage.keep(listener);
            stage.file("Main.java", &format!("class Main {{ public static void main(String[] a) throws Exception {{ new java.net.ServerSocket({port}, 5, java.net.InetAddress.getLoopbackAddress()).accept(); }} }}\n"));
            stage.crashes("java Main.java", &[]);
        })
        .needing(JAVA),
        crash(
            kind,
            "by itself",
            IN_USE,
            "/usr/bin/python3 app.py",
            &[("app.py", "import os, socket\na = socket.create_server(('127.0.0.1', 0))\nb = socket.create_server(('127.0.0.1', a.getsockname()[1]))\n")],
        )
        .needing(PYTHON),
        fault(kind, "by another app of ours", IN_USE, |stage| {
            let port = some_address().port();
            let other = stage.home.source("first", &format!("web: faultapp --listen {port}\n"));
            stage.home.does(&["ps-lifecycle", "deploy", "first", "--dir", &other]);
            home::eventually("the first one listens", || home::get(port.into(), "/"));
            stage.file("app.py", &format!("import socket\nsocket.create_server(('127.0.0.1', {port}))\n"));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault("may not listen there", "a privileged port, node", &["permission", "privilege", "eacces", "not allowed", "may not"], |stage| {
            as_nobody(stage, "node app.js", "app.js", "require('http').createServer().listen(81, '127.0.0.1');\n");
        })
        .needing(&["root", "/usr/bin/node"]),
        fault("may not listen there", "a privileged port, python", &["permission", "privilege", "eacces", "not allowed", "may not"], |stage| {
            as_nobody(stage, "/usr/bin/python3 app.py", "app.py", "import socket\nsocket.create_server(('127.0.0.1', 82))\n");
        })
        .needing(&["root", "/usr/bin/python3"]),
        crash(
            "the address is of another machine",
            "python",
            &["address"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import socket\nsocket.create_server(('192.0.2.7', 8080))\n")],
        )
        .needing(PYTHON),
        crash(
            "the address is of another machine",
            "node",
            &["address"],
            "node app.js",
            &[("app.js", "require('http').createServer().listen(8080, '192.0.2.7');\n")],
        )
        .needing(NODE),
    ]
}

/// A command of a user to whom nothing belongs; the port is one that only root may have.
fn as_nobody(stage: &Stage, command: &str, name: &str, text: &str) {
    // A machine where everybody may listen everywhere cannot show it.
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    assert!(start.trim().parse::<u16>().is_ok_and(|start| start > 82), "everybody may have every port here");
    stage.runs("chmod", &["755", "..", "."]);
    stage.file(name, text);
    stage.crashes(command, &[("web.user", "nobody")]);
}

/// Nobody listens there.
fn closed() -> u16 {
    some_address().port()
}

fn servers() -> Vec<Fault> {
    let kind = "a server that it needs refuses connections";
    let slow = "a server that it needs does not answer";
    let denied = "a server that it needs wants other credentials";
    let timeout: &[&str] = &["time", "answer"];
    vec![
        fault(kind, "python", REFUSED, |stage| {
            stage.file("app.py", &format!("import socket\nsocket.create_connection(('127.0.0.1', {}))\n", closed()));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault(kind, "node, a rejected promise", REFUSED, |stage| {
            stage.file("app.js", &format!("async function main() {{ await fetch('http://127.0.0.1:{}/'); }}\nmain();\n", closed()));
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE),
        fault(kind, "node, a socket", REFUSED, |stage| {
            stage.file("app.js", &format!("require('net').connect({}, '127.0.0.1');\n", closed()));
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE),
        fault(kind, "java, a cause of a cause", REFUSED, |stage| {
            let port = closed();
            stage.file("Main.java", &format!("class Main {{ static void db() {{ try {{ new java.net.Socket(\"127.0.0.1\", {port}); }} catch (Exception e) {{ throw new RuntimeException(\"could not open the pool\", e); }} }} public static void main(String[] a) {{ db(); }} }}\n"));
            stage.crashes("java Main.java", &[]);
        })
        .needing(JAVA),
        fault(kind, "psql", REFUSED, |stage| {
            stage.crashes(&format!("psql 'postgresql://shop@127.0.0.1:{}/shop' -c 'select 1'", closed()), &[]);
        })
        .needing(&["/usr/bin/psql"]),
        fault(kind, "curl in a script", REFUSED, |stage| {
            stage.file("bin/wait", &format!("#!/bin/sh\nset -e\ncurl -sS http://127.0.0.1:{}/up\nexec sleep 3600\n", closed()));
            stage.crashes("bin/wait", &[]);
        })
        .needing(&["/usr/bin/curl"]),
        fault(slow, "python", timeout, |stage| {
            // Its backlog takes the connection; nobody ever reads.
            let (listener, port) = taken();
            stage.keep(listener);
            stage.file("app.py", &format!("import socket\ndb = socket.create_connection(('127.0.0.1', {port}), timeout=0.3)\ndb.send(b'hello')\ndb.recv(1)\n"));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault(denied, "python, 401", &["401", "credential", "unauthorized", "password", "denied"], |stage| {
            let port = answering("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
            stage.file("app.py", &format!("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/v1/login')\n"));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault("a server that it needs fails", "python, 503", &["503", "unavailable", "5xx"], |stage| {
            let port = answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
            stage.file("app.py", &format!("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/v1/prices')\n"));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
    ]
}

/// A server that gives everybody this answer, for as long as the tests run.
fn answering(answer: &'static str) -> u16 {
    let (listener, port) = taken();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // A client that has gone needs no answer.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port.parse().expect("a port")
}

fn names() -> Vec<Fault> {
    let kind = "a name has no address";
    vec![
        crash(
            kind,
            "python",
            NAME,
            "/usr/bin/python3 app.py",
            &[("app.py", "import socket\nsocket.create_connection(('db.shop.invalid', 5432))\n")],
        )
        .needing(PYTHON),
        crash(
            kind,
            "node",
            NAME,
            "node app.js",
            &[("app.js", "require('net').connect(5432, 'db.shop.invalid');\n")],
        )
        .needing(NODE),
        crash(
            kind,
            "java",
            NAME,
            "java Main.java",
            &[("Main.java", "class Main { public static void main(String[] a) throws Exception { new java.net.Socket(\"db.shop.invalid\", 5432); } }\n")],
        )
        .needing(JAVA),
    ]
}

/// A client and a server in one process: the handshake is real.
const HANDSHAKE: &str = "import socket, ssl, threading
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain('server.crt', 'server.key')
listener = socket.create_server(('127.0.0.1', 0))
def serve():
    try:
        server.wrap_socket(listener.accept()[0], server_side=True)
    except OSError:
        pass
threading.Thread(target=serve, daemon=True).start()
client = ssl.create_default_context(cafile=TRUSTED)
client.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname='shop.test')
";

fn certificates() -> Vec<Fault> {
    let kind = "a certificate is not believed";
    let handshake = |stage: &Stage, made: &Made, trusted: &str| {
        made.put(&stage.path(""));
        stage.file("app.py", &HANDSHAKE.replace("TRUSTED", trusted));
        stage.crashes("/usr/bin/python3 app.py", &[]);
    };
    vec![
        fault(kind, "expired", CERTIFICATE, move |stage| {
            let made = Made::with("shop.test", |params| {
                params.not_before = rcgen::date_time_ymd(2019, 1, 1);
                params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            });
            handshake(stage, &made, "'server.crt'");
        })
        .needing(PYTHON),
        fault(kind, "of nobody who is known", CERTIFICATE, move |stage| {
            handshake(stage, &Made::of("shop.test"), "None");
        })
        .needing(PYTHON),
        fault(kind, "for another name", CERTIFICATE, move |stage| {
            handshake(stage, &Made::of("another.test"), "'server.crt'");
        })
        .needing(PYTHON),
        fault(kind, "node", CERTIFICATE, |stage| {
            Made::of("shop.test").put(&stage.path(""));
            stage.file("app.js", "const fs = require('fs'), tls = require('tls');\nconst server = tls.createServer({ cert: fs.readFileSync('server.crt'), key: fs.readFileSync('server.key') });\nserver.listen(0, '127.0.0.1', () => tls.connect(server.address().port, '127.0.0.1', { servername: 'shop.test' }));\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE),
        fault("a certificate's file is missing", "python", &["certificate", "no such file", "missing", "not found"], |stage| {
            stage.file("app.py", "import ssl\nssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain('server.crt')\n");
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault("a port is in use", "its address", IN_USE, |stage| {
            let (listener, port) = taken();
            stage.keep(listener);
            stage.fails_when_deployed(QUIET, &["--listen", &port]);
        }),
    ]
}
