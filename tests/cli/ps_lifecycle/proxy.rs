//! `proxy`: where an app is reached and how clients are taken in there changes while it runs, and nobody notices.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::Value;

use crate::asking::{Clients, ask, found, is_closed, some_address};
use crate::home::{Home, SOON, eventually, listening};
use crate::schema;

const WEB: &str = "web: exec faultapp --listen\n";

/// An app with two instances that is reached at this address.
fn reached() -> (Home, SocketAddr) {
    let (home, address) = (Home::as_installed(), some_address());
    let source = home.source("shop", WEB);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "--listen"];
    home.does(&[&deploy[..], &[&address.to_string()]].concat());
    (home, address)
}

/// Sends a request on this connection; the whole answer.
fn finish(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream.write_all(b"GET /pid HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer.to_lowercase()
}

/// The rows, by the option: what is set, and what is in force.
fn rows(home: &Home) -> impl Fn(&str) -> (Value, Value) {
    let rows = home.run(&["ps-lifecycle", "proxy", "shop", "--format", "json"]).rows();
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/ps-lifecycle-proxy.json")).expect("JSON");
    for row in &rows {
        assert_eq!(schema::complaints(&schema, row), [""; 0]);
    }
    move |option| {
        let row = rows.iter().find(|row| row["option"] == option).expect("each option has a row");
        (row["set"].clone(), row["in_force"].clone())
    }
}

#[test]
fn no_client_notices_that_addresses_come_and_go_and_that_connections_become_requests() {
    let _listening = listening();
    let ((home, first), second) = (reached(), some_address());
    let clients = Clients::of(first);
    clients.go_on(10);
    let open = TcpStream::connect(first).expect("it is there");
    let (pids, balance) = (home.pids("shop"), found(&home, "ps-balance "));
    let both = format!("{first} {second}");
    let ran =
        home.run(&["ps-lifecycle", "proxy", "shop", "--listen", &first.to_string(), &second.to_string()]);
    assert!(ran.status == Some(0) && ran.stderr.contains(&format!("shop is reached at {both}\n")), "{ran:?}");
    ask(second, "/pid").expect("it is there");
    home.does(&["ps-lifecycle", "proxy", "shop", "--http", "--sticky", "seen"]);
    // ps-balance hears of it a moment later than the supervisor, which has answered.
    eventually("what comes now is taken in by request", || {
        let answer = finish(TcpStream::connect(second).expect("it is there"));
        if answer.contains("set-cookie: seen=web.") { Ok(()) } else { Err(answer) }
    });
    assert!(!finish(open).contains("set-cookie"), "what was open goes on as it began");
    clients.go_on(10);
    assert_eq!((home.pids("shop"), found(&home, "ps-balance ")), (pids.clone(), balance));
    assert_eq!(clients.end(), Vec::<String>::new());

    let row = rows(&home);
    assert_eq!(row("listen"), (both.clone().into(), both.into()));
    assert_eq!(row("sticky"), ("seen".into(), "seen".into()));
    assert_eq!(row("hold"), (Value::Null, Value::Null));
    home.does(&["ps-lifecycle", "proxy", "shop", "--listen", &second.to_string(), "--http=false"]);
    is_closed(first);
    ask(second, "/pid").expect("it is there");
    // The next deploy goes by the same.
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    ask(second, "/pid").expect("it is there");
    is_closed(first);
}

#[test]
fn what_is_set_by_ps_set_is_told_apart_from_what_is_in_force() {
    let _listening = listening();
    let (home, address) = reached();
    let ran = home.run(&["ps-set", "shop", "hold", "7"]);
    assert!(ran.status == Some(0) && ran.stderr.contains("ps-lifecycle proxy shop --hold=7"), "{ran:?}");
    assert_eq!(rows(&home)("hold"), ("7".into(), Value::Null));
    home.does(&["ps-lifecycle", "proxy", "shop", "--hold=7"]);
    assert_eq!(rows(&home)("hold"), ("7".into(), "7".into()));
    let text = home.does(&["ps-lifecycle", "proxy", "shop"]);
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.lines().any(|row| line(row) == "hold 7 7"), "{text}");
    let csv = home.does(&["ps-lifecycle", "proxy", "shop", "--format", "csv"]);
    assert!(csv.starts_with("app,option,set,in_force\n") && csv.contains(&format!(",{address}\n")), "{csv}");
}

#[test]
fn an_address_that_somebody_holds_and_an_option_that_nobody_could_heed_change_nothing() {
    let _listening = listening();
    let (home, address) = reached();
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("bound").to_string();
    let holder = format!("(pid {})", std::process::id());
    home.refuses(&["ps-lifecycle", "proxy", "shop", "--listen", &taken], 1, &[&taken, &holder]);
    home.refuses(&["ps-lifecycle", "proxy", "shop", "--sticky", "seen"], 2, &["--http"]);
    home.refuses(&["ps-lifecycle", "proxy", "shop", "--tls"], 1, &["server.crt"]);
    home.refuses(&["ps-lifecycle", "proxy", "nope", "--http"], 20, &["nope"]);
    ask(address, "/pid").expect("it is there");
}

/// `ps-balance` runs from the first connection on, and then it might have the sockets of an app whose supervisor was killed.
#[test]
fn an_address_that_cannot_be_had_is_refused_while_ps_balance_runs_and_the_app_stays_reached() {
    let _listening = listening();
    let (home, address) = reached();
    let clients = Clients::of(address);
    clients.go_on(10);
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("bound").to_string();
    // This network is for documents alone (RFC 5737).
    let elsewhere = format!("203.0.113.7:{}", address.port());
    for (wanted, said) in [(taken.as_str(), "is held by"), (elsewhere.as_str(), "no such address")] {
        home.refuses(&["ps-lifecycle", "proxy", "shop", "--listen", wanted], 1, &[wanted, said]);
        assert_eq!(rows(&home)("listen"), (address.to_string().into(), address.to_string().into()));
        clients.go_on(10);
    }
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn an_app_that_gets_its_first_address_or_loses_it_has_its_instances_of_web_replaced_and_no_others() {
    let _listening = listening();
    let (home, address) = (Home::as_installed(), some_address());
    let source = home.source("shop", &format!("{WEB}worker: exec faultapp --listen\n"));
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--listen",
        "none",
        "--scale",
        "web=2",
        "worker=1",
    ]);
    let before = home.pids("shop");
    home.does(&["ps-lifecycle", "proxy", "shop", "--listen", &address.to_string()]);
    let after = home.pids("shop");
    ask(address, "/pid").expect("it is there");
    assert_eq!(before["worker.1"], after["worker.1"]);
    assert!(before["web.1"] != after["web.1"] && before["web.2"] != after["web.2"], "{before:?} {after:?}");
    home.does(&["ps-lifecycle", "proxy", "shop", "--listen", "none"]);
    is_closed(address);
    let own = home.status("shop")[0]["port"].as_u64().expect("a port");
    ask(format!("127.0.0.1:{own}").parse().expect("an address"), "/pid").expect("it is there");
    assert_eq!(rows(&home)("listen"), ("none".into(), Value::Null));
}

#[test]
fn an_app_gets_the_port_of_its_first_instance_as_its_address_and_no_connect_is_refused() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", "none", "--scale", "web=2"]);
    let port = home.status("shop")[0]["port"].as_u64().expect("a port");
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    let clients = Clients::of(address);
    clients.go_on(10);
    // A release that is never ready leaves the instance alone, and with it its socket.
    let before = home.pids("shop");
    home.write(
        "shop/app.json",
        r#"{"healthchecks": {"web": [{"type": "startup", "command": ["false"], "attempts": 1}]}}"#,
    );
    let failed = home.run(&["ps-lifecycle", "deploy", "shop", "--listen", &port.to_string()]);
    assert_eq!((failed.status, home.pids("shop")), (Some(1), before.clone()), "{failed:?}");
    std::fs::remove_file(home.path("shop/app.json")).expect("it is there");
    clients.go_on(10);
    let elsewhere = format!("0.0.0.0:{port}");
    let refused = home.run(&["ps-lifecycle", "proxy", "shop", "--listen", &elsewhere]);
    assert!(refused.status == Some(1) && refused.stderr.contains(&elsewhere), "{refused:?}");
    home.does(&["ps-lifecycle", "proxy", "shop", "--listen", &port.to_string()]);
    clients.go_on(10);
    let after = home.status("shop");
    assert!(after.iter().all(|row| row["port"].as_u64().is_some_and(|own| own != port)), "{after:?}");
    assert_eq!(found(&home, "ps-balance ").len(), 1);
    let failures = clients.end();
    assert!(failures.iter().all(|why| !why.contains("refused")), "{failures:?}");
}

#[test]
fn an_app_that_is_stopped_is_reached_at_the_new_address_once_it_is_started() {
    let _listening = listening();
    let ((home, first), second) = (reached(), some_address());
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.does(&["ps-lifecycle", "proxy", "shop", "--listen", &second.to_string()]);
    is_closed(second);
    home.does(&["ps-lifecycle", "start", "shop"]);
    ask(second, "/pid").expect("it is there");
    is_closed(first);
}

#[test]
fn where_nothing_was_deployed_the_first_deploy_goes_by_it() {
    let _listening = listening();
    let (home, address) = (Home::as_installed(), some_address());
    home.write("home/shop/ENV", "");
    let ran = home.run(&["ps-lifecycle", "proxy", "shop", "--listen", &address.to_string()]);
    assert!(ran.status == Some(0) && ran.stdout.is_empty(), "{ran:?}");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &home.source("shop", WEB), "--scale", "web=1"]);
    ask(address, "/pid").expect("it is there");
}
