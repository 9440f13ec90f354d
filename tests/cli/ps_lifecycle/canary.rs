//! `deploy --canary`: a new release takes over once it was found no worse than the earlier one, by clients of the app's address.

use std::net::SocketAddr;
use std::{fs, thread};

use serde_json::Value;

use crate::asking::{CLIENTS, Clients, ask, some_address};
use crate::home::{Home, eventually, listening};
use crate::program::Ran;

const WEB: &str = "web: exec faultapp --listen\n";

/// An app with two instances at an address.
fn reached() -> (Home, String, SocketAddr) {
    let (home, address) = (Home::as_installed(), some_address());
    let source = home.source("shop", WEB);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "--listen"];
    home.does(&[&deploy[..], &[&address.to_string()]].concat());
    (home, source, address)
}

fn deploy(home: &Home, source: &str, canary: &[&str]) -> Ran {
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", source, "--format", "json", "--canary"];
    home.run(&[&deploy[..], canary].concat())
}

/// The events about it: their outcomes, and what was counted.
fn told(ran: &Ran) -> (Vec<String>, Value) {
    let rows: Vec<Value> = ran.rows().into_iter().filter(|row| row["phase"] == "canary").collect();
    let outcome = |row: &Value| row["outcome"].as_str().unwrap_or_default().to_owned();
    let counted = rows.last().map(|row| row["canary"].clone()).unwrap_or_default();
    (rows.iter().map(outcome).collect(), counted)
}

fn are_none_of(home: &Home, before: &std::collections::BTreeMap<String, u64>) -> bool {
    home.pids("shop").len() == before.len()
        && home.pids("shop").values().all(|pid| !before.values().any(|old| old == pid))
}

#[test]
fn a_release_that_fails_no_more_often_takes_over_and_nothing_is_left_of_the_control() {
    let _listening = listening();
    let (home, source, address) = reached();
    let (before, clients) = (home.pids("shop"), Clients::of(address));
    let ran = deploy(&home, &source, &["40%", "--for", "6s"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let (outcomes, counted) = told(&ran);
    assert_eq!(outcomes, ["begun", "done"], "{ran:?}");
    assert_eq!(counted["verdict"], "good");
    for side in ["canary", "control"] {
        assert!(counted[side]["asked"].as_u64() >= Some(50) && counted[side]["failed"] == 0, "{counted}");
    }
    clients.go_on(20);
    assert_eq!(clients.end(), Vec::<String>::new());
    assert!(are_none_of(&home, &before), "{:?}, {before:?}", home.status("shop"));
    let results: Vec<Value> = ran.rows().into_iter().filter(|row| row["phase"] == "result").collect();
    assert_eq!(results.len(), 2, "the control is no instance of the app: {results:?}");
    let journal = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("it has one");
    assert!(journal.contains(r#""event":"canary","verdict":"good""#), "{journal}");
}

#[test]
fn a_release_that_resets_connections_is_put_back() {
    let _listening = listening();
    let (home, source, address) = reached();
    let (before, clients) = (home.pids("shop"), Clients::of(address));
    home.write("shop/Procfile", "web: exec faultapp --listen --reset\n");
    let ran = deploy(&home, &source, &["40%", "--for", "6s"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let (outcomes, counted) = told(&ran);
    assert_eq!((outcomes.last().map(String::as_str), &counted["verdict"]), (Some("failed"), &"worse".into()));
    assert!(ran.stderr.contains("web.1 of shop was put back: canary: "), "{ran:?}");
    let failed = clients.end();
    assert!(!failed.is_empty() && counted["canary"]["failed"].as_u64() > Some(0), "{counted}");
    assert_eq!(counted["control"]["failed"], 0);
    assert_eq!(home.pids("shop"), before, "the very same processes");
    let clients = Clients::of(address);
    clients.go_on(50);
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn a_release_that_answers_500_is_put_back_where_requests_are_handed_on() {
    let _listening = listening();
    let (home, source, address) = reached();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--http"]);
    let (before, clients) = (home.pids("shop"), Clients::of(address));
    home.write("shop/Procfile", "web: exec faultapp --listen --answer 500\n");
    let ran = deploy(&home, &source, &["40%", "--for", "6s", "--max-error-delta", "2%"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let counted = told(&ran).1;
    assert_eq!(counted["verdict"], "worse", "{ran:?}");
    let of_canary = |what: &str| counted["canary"][what].as_u64().expect("a count");
    // Each client may be waiting for an answer when it is judged.
    let missing = of_canary("asked") - of_canary("failed");
    assert!(missing <= CLIENTS, "{counted}");
    assert_eq!(counted["control"]["failed"], 0);
    clients.end();
    assert_eq!(home.pids("shop"), before, "the very same processes");
}

#[test]
fn too_little_traffic_never_promotes() {
    let _listening = listening();
    let (home, source, address) = reached();
    let before = home.pids("shop");
    ask(address, "/pid").expect("it is there");
    let ran = deploy(&home, &source, &["5%", "--for", "1s"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("too little traffic: 0 connections"), "{ran:?}");
    assert_eq!(told(&ran).1["verdict"], "too_few");
    assert_eq!(home.pids("shop"), before, "the very same processes");
    ask(address, "/pid").expect("it is there");
}

#[test]
fn a_comparison_goes_on_where_the_supervisor_is_killed_in_the_middle() {
    let _listening = listening();
    let (home, source, address) = reached();
    let (before, clients) = (home.pids("shop"), Clients::of(address));
    let record = home.path("lib/data/scheduler-native/shop/rollout.json");
    let ran = thread::scope(|scope| {
        let kills = scope.spawn(|| {
            eventually("it is compared", || match fs::read_to_string(&record) {
                Ok(text) if text.contains("\"comparing\"") => Ok(()),
                read => Err(format!("{read:?}")),
            });
            crate::asking::kill(|| home.supervisors());
        });
        let ran = deploy(&home, &source, &["40%", "--for", "6s"]);
        kills.join().expect("it kills");
        ran
    });
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(told(&ran).1["verdict"], "good");
    assert_eq!(clients.end(), Vec::<String>::new());
    assert!(are_none_of(&home, &before), "{:?}", home.status("shop"));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    let address = some_address().to_string();
    let refused = |words: &[&str], why: &str| {
        let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
        let ran = home.run(&[&deploy[..], words].concat());
        assert!(ran.status == Some(2) && ran.stderr.contains(why), "{words:?}: {ran:?}");
    };
    let canary = ["--canary", "5%", "--for", "1s"];
    refused(&[&canary[..], &["--listen", &address]].concat(), "shop was not deployed yet");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", "none"]);
    refused(&canary, "shop has no address");
    let delta = ["--listen", &address, "--max-error-delta", "0.5%"];
    refused(&[&canary[..], &delta].concat(), "leave --max-error-delta out");
    refused(&["--canary", "50%", "--for", "1s"], "less than 50%");
    refused(&["--canary", "5%"], "--for");
    refused(&["--for", "1s"], "--canary");
}
