//! Checks by https of containers. The image has no server with TLS: a container hands every connection on to one of this machine, so what
//! is asked at the container's address is answered by a real server.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::engine::{IMAGE, containers, has_engine, name};
use crate::home::{Home, eventually, table};
use crate::program::Running;

/// Hands every connection on to that port of this machine.
fn handing_on(port: u16) -> String {
    let gateway = "$(ip route | awk '/^default/ {print $3}')";
    format!("exec nc -ll -p $PORT -e nc {gateway} {port}")
}

pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|free| free.local_addr());
    free.expect("a port is free").port()
}

/// A server that containers reach.
fn serve(home: &Home, port: u16, words: &[&str]) -> Running {
    let listen = ["faultapp", "--listen", &port.to_string(), "--bind", "0.0.0.0"];
    let mut command: Command = home.command(&[&listen, words].concat());
    command.process_group(0).stdout(Stdio::null());
    let running = Running::begin(command);
    eventually("it listens", || TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string()));
    running
}

/// A source of that command and these checks of `web`; deployed with [`IMAGE`] below it.
fn source(home: &Home, command: &str, checks: &str) -> String {
    home.write("src/app.json", &format!(r#"{{"healthchecks": {{"web": [{checks}]}}}}"#));
    home.source("src", &format!("web: {command}\n"))
}

#[test]
fn what_answers_by_https_takes_over_and_what_does_not_leaves_the_container_of_before() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("secure"));
    home.write(&format!("lib/config/ps/{app}/stop-timeout-seconds"), "1");
    let [tls, plain] = [free_port(), free_port()];
    let _servers = [serve(&home, tls, &["--tls"]), serve(&home, plain, &[])];
    let deploy = |command: &str, content: &str| {
        let check = format!(
            r#"{{"type": "startup", "scheme": "https", "path": "/health", "content": "{content}", "attempts": 2, "timeout": 3, "wait": 1}}"#
        );
        let source = source(&home, command, &check);
        home.run(&["ps-lifecycle", "deploy", &app, "--dir", &source, "--base", IMAGE])
    };
    let ran = deploy(&handing_on(tls), "ok");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("scheme"), "{ran:?}");
    let before = containers(&app, "{{.ID}}");
    let failed = "did not answer GET /health by https with 2xx and \"ok\" in 2 attempts (";
    for (command, content, says) in [
        (handing_on(tls), "too bad", ["in 2 attempts (", "\"too bad\" is not in its answer"]),
        (handing_on(plain), "ok", [failed, "; if it does not speak TLS, leave out the scheme of the check"]),
        (
            "exec nc -ll -p $PORT -e sleep 1000".to_owned(),
            "ok",
            [failed, ":5000 did not answer the TLS handshake within "],
        ),
        (
            "exec nc -ll -p $PORT -e echo SSH-2.0-x".to_owned(),
            "ok",
            [failed, ":5000 does not speak TLS, it answered \"SSH-2.0-x"],
        ),
    ] {
        deploy(&command, content).is_refused(1, &says);
        assert_eq!(containers(&app, "{{.ID}}"), before);
    }
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_watch_takes_a_container_out_of_traffic_while_it_does_not_answer_by_https() {
    if !has_engine() {
        return;
    }
    let (home, app, tls) = (Home::new(), name("watched-secure"), free_port());
    let server = serve(&home, tls, &["--tls"]);
    let check = r#"{"type": "readiness", "scheme": "https", "path": "/health", "content": "ok", "threshold": 1, "interval": 1}"#;
    let source = source(&home, &handing_on(tls), check);
    home.write(&format!("lib/config/checks/{app}/default-wait"), "1");
    home.does(&["ps-lifecycle", "deploy", &app, "--dir", &source, "--base", IMAGE]);
    let before = containers(&app, "{{.ID}}");
    let mut command = home.command(&["ps-lifecycle", "watch", &app]);
    let log = fs::File::create(home.path("watch.log")).expect("a file");
    command.process_group(0).stdout(Stdio::null()).stderr(log);
    let mut watch = Running::begin(command);
    let is = |word: &str| {
        eventually("the word for it", || {
            let states = home.states(&app);
            if states == table(&[("web.1", word)]) { Ok(()) } else { Err(format!("{states:?}")) }
        });
    };
    drop(server);
    is("unready");
    let _again = serve(&home, tls, &["--tls"]);
    is("running");
    assert_eq!(containers(&app, "{{.ID}}"), before, "it was not replaced");
    watch.signal(Signal::TERM);
    assert_eq!(watch.ended().status, Some(0));
    home.does(&["ps-lifecycle", "destroy", &app]);
}
