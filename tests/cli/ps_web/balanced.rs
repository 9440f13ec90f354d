//! The metrics of an app's address, as a real ps-balance has counted them, and of output that was dropped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::asking::{ask, some_address};
use crate::home::{Home, SOON, eventually, listening};
use crate::metrics::{samples, value};
use crate::served::{Served, TOKEN};

/// What is measured now; `None`: the parser is not installed.
fn scraped(served: &Served<'_>) -> Option<Vec<Value>> {
    let accept = "Accept: application/openmetrics-text; version=1.0.0";
    let answer = served.asks("GET", "/metrics", &[&format!("Authorization: Bearer {TOKEN}"), accept], "");
    samples("openmetrics", &answer.body)
}

/// The value of a sample of an address, as a whole number.
fn counted(samples: &[Value], name: &str, labels: &[(&str, &str)]) -> u64 {
    let name = format!("formation_balance_{name}");
    value(samples, &name, &[&[("app", "shop")], labels].concat()).parse().expect("a whole number")
}

/// A home where `shop` is reached at this address.
fn reached(command: &str, words: &[&str]) -> (Home, SocketAddr) {
    let home = Home::as_installed();
    let (source, address) = (home.source("shop", &format!("web: {command}\n")), some_address());
    let listen = address.to_string();
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &listen];
    home.does(&[&deploy, words].concat());
    (home, address)
}

/// A client that has sent a request, been answered, and stays.
fn staying(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(SOON)).expect("a timeout");
    client.write_all(b"GET /echo/3 HTTP/1.1\r\nHost: shop\r\n\r\n").expect("it reads");
    let mut byte = [0];
    assert_eq!(client.read(&mut byte).expect("it answers"), 1);
    client
}

#[test]
fn what_ps_balance_has_counted_is_in_the_metrics_of_each_app_and_instance() {
    let _listening = listening();
    let (home, address) = reached("exec faultapp --listen", &["--scale", "web=2"]);
    let served = Served::address(&home, &[]);
    let Some(before) = scraped(&served) else { return };
    let of_balance = |sample: &&Value| sample[0].as_str().is_some_and(|name| name.contains("_balance_"));
    assert_eq!(before.iter().find(of_balance), None, "no client has come, so nothing was started to count");

    for _ in 0..6 {
        ask(address, "/pid").expect("an answer");
    }
    // The rows of instances may be a second old, and the last bytes are counted when they are passed on.
    let after = eventually("the last connection is counted, and over", || {
        let after = scraped(&served).expect("it is installed");
        let of_shop = |sample: &&Value| {
            sample[0] == "formation_balance_current_connections" && sample[1]["app"] == "shop"
        };
        let open: Vec<Option<f64>> = after.iter().filter(of_shop).map(|sample| sample[2].as_f64()).collect();
        if open == [Some(0.0); 2] { Ok(after) } else { Err(format!("open: {open:?}")) }
    });
    assert_eq!((counted(&after, "accepted_total", &[]), counted(&after, "refused_total", &[])), (6, 0));
    assert_eq!(counted(&after, "draining_connections", &[]), 0);
    for index in ["1", "2"] {
        let of = [("process_type", "web"), ("index", index), ("scheduler", "native"), ("release", "1")];
        assert_eq!(counted(&after, "connections_total", &of), 3, "they take turns");
        assert_eq!(counted(&after, "connect_errors_total", &of), 0);
        assert_eq!(counted(&after, "errors_total", &of), 0);
        assert_eq!(counted(&after, "cut_connections_total", &of), 0);
        for quantile in ["0.5", "0.99"] {
            let labels = [&[("app", "shop"), ("quantile", quantile)], &of[..]].concat();
            let seconds = value(&after, "formation_balance_connect_seconds", &labels);
            assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{seconds}");
        }
    }
    // "GET /pid HTTP/1.0\r\n\r\n", six times.
    assert_eq!(counted(&after, "bytes_total", &[("direction", "in")]), 6 * 21);
    assert!(counted(&after, "bytes_total", &[("direction", "out")]) > 6 * 20);
    assert_eq!(counted(&after, "request_duration_seconds_count", &[]), 6);
    assert_eq!(counted(&after, "request_duration_seconds_bucket", &[("le", "+Inf")]), 6);
    assert_eq!(counted(&after, "request_duration_seconds_bucket", &[("le", "33.554432")]), 6);
    let sum = value(&after, "formation_balance_request_duration_seconds_sum", &[("app", "shop")]);
    assert!(sum.parse::<f64>().is_ok_and(|sum| sum > 0.0), "{sum}");

    let plain = samples("text", &served.gets("/metrics").body).expect("it is installed");
    assert_eq!(counted(&plain, "request_duration_seconds_bucket", &[("le", "+Inf")]), 6);
    assert_eq!(counted(&plain, "connections_total", &[("index", "2")]), 3);
}

#[test]
fn answers_of_500_are_errors_of_their_instance() {
    let _listening = listening();
    let (home, address) = reached("exec faultapp --listen --answer 500", &["--http"]);
    let served = Served::address(&home, &[]);
    for _ in 0..3 {
        ask(address, "/").expect("an answer");
    }
    let Some(read) = scraped(&served) else { return };
    assert_eq!(counted(&read, "errors_total", &[("index", "1"), ("release", "1")]), 3);
    assert_eq!(counted(&read, "request_duration_seconds_count", &[]), 3);
    assert_eq!(counted(&read, "connections_total", &[("index", "1")]), 3);
}

#[test]
fn a_connection_that_outlives_its_release_is_one_that_drains() {
    let _listening = listening();
    let (home, address) = reached("exec faultapp --listen --keep-alive", &[]);
    let served = Served::address(&home, &[]);
    let client = staying(address);
    let Some(read) = scraped(&served) else { return };
    assert_eq!(counted(&read, "accepted_total", &[]), 1);
    assert_eq!(counted(&read, "draining_connections", &[]), 0);
    let deploy =
        home.start(&["ps-lifecycle", "deploy", "shop", "--dir", home.path("shop").to_str().expect("text")]);
    eventually("it drains", || {
        let read = scraped(&served).expect("it is installed");
        let draining = counted(&read, "draining_connections", &[]);
        if draining == 1 { Ok(()) } else { Err(format!("{draining} drain")) }
    });
    drop(client);
    let ran = deploy.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    // The next client is the new release's.
    ask(address, "/pid").expect("an answer");
    let read = scraped(&served).expect("it is installed");
    assert_eq!(counted(&read, "draining_connections", &[]), 0);
    assert_eq!(counted(&read, "connections_total", &[("index", "1"), ("release", "2")]), 1);
}

/// A mounted file system, which goes when this is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn output_that_a_full_disk_did_not_take_is_counted() {
    let home = Home::new();
    let logs = home.path("lib/data/scheduler-native/shop/web.1/log");
    std::fs::create_dir_all(&logs).expect("made");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "logs"]).arg(&logs).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        skipped::skip("no root: only root can mount a small disk");
        return;
    }
    let _mounted = Mounted(logs);
    let source = home.source("shop", "web: head -c 2000000 /dev/zero; exec sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let served = Served::address(&home, &[]);
    eventually("what was dropped is counted", || {
        let Some(read) = scraped(&served) else { return Ok(()) };
        let of = [("app", "shop"), ("process_type", "web"), ("index", "1"), ("scheduler", "native")];
        let dropped = value(&read, "formation_log_dropped_bytes_total", &of);
        let bytes: u64 = dropped.parse().expect("a whole number");
        if (1_500_000..2_000_000).contains(&bytes) { Ok(()) } else { Err(dropped) }
    });
}
