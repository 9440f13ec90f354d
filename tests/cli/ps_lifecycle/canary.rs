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

/// An app at an address with `--http` whose clients ask, and its source.
fn reached_by_http() -> (Home, String, Clients) {
    let (home, source, address) = reached();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--http"]);
    (home, source, Clients::of(address))
}

#[test]
fn a_hopeless_release_is_put_back_long_before_its_time() {
    let _listening = listening();
    let (home, source, clients) = reached_by_http();
    let before = home.pids("shop");
    home.write("shop/Procfile", "web: exec faultapp --listen --answer 500\n");
    let ran = deploy(&home, &source, &["40%", "--for", "1h", "--max-error-delta", "1%"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let counted = told(&ran).1;
    assert_eq!(counted["verdict"], "worse", "{ran:?}");
    assert!(
        counted["control"]["asked"].as_u64() >= Some(50) && counted["control"]["failed"] == 0,
        "{counted}"
    );
    assert!(ran.stderr.contains("beyond chance: the earlier release stays"), "{ran:?}");
    clients.end();
    assert_eq!(home.pids("shop"), before, "the very same processes");
}

/// Waits until both sides are compared.
fn is_compared(home: &Home) {
    let record = home.path("lib/data/scheduler-native/shop/rollout.json");
    eventually("it is compared", || match fs::read_to_string(&record) {
        Ok(text) if text.contains("\"comparing\"") => Ok(()),
        read => Err(format!("{read:?}")),
    });
}

#[test]
fn status_says_which_instance_is_the_canary_and_which_only_its_control() {
    let _listening = listening();
    let (home, source, _) = reached();
    let mut verb =
        home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--canary", "5%", "--for", "1h"]);
    is_compared(&home);
    let sides = |rows: Vec<Value>| -> Vec<(String, String)> {
        let side = |row: &Value| Some((crate::home::slot(row), row["compared"].as_str()?.to_owned()));
        rows.iter().filter_map(side).collect()
    };
    let both =
        [("web.1", "canary"), ("web.3", "control")].map(|(slot, side)| (slot.to_owned(), side.to_owned()));
    eventually("both sides are named", || {
        let found = sides(home.status("shop"));
        if found == both { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let table = home.does(&["ps-lifecycle", "status", "shop"]);
    let is_named = |slot: &str, side: &str| {
        table.lines().any(|line| line.contains(&format!(" {slot}@")) && line.contains(side))
    };
    assert!(is_named("web.1", "canary") && is_named("web.3", "control"), "{table}");
    verb.signal(rustix::process::Signal::INT);
    assert_ne!(verb.ended().status, Some(0));
    assert_eq!(sides(home.status("shop")), []);
}

#[test]
fn the_verb_after_one_that_was_killed_tells_its_own_comparison_and_receipt_alone() {
    let _listening = listening();
    let (home, source, clients) = reached_by_http();
    let mut verb =
        home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--canary", "40%", "--for", "1h"]);
    is_compared(&home);
    clients.go_on(30);
    verb.signal(rustix::process::Signal::KILL);
    assert_eq!(verb.ended().status, None);
    let ran = deploy(&home, &source, &["40%", "--for", "3s"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(told(&ran).0, ["begun", "done"], "{ran:?}");
    let of_phase =
        |phase: &str| -> Vec<Value> { ran.rows().into_iter().filter(|row| row["phase"] == phase).collect() };
    assert_eq!(of_phase("receipt").len(), 1, "{ran:?}");
    let notes = of_phase("note");
    let earlier =
        notes.iter().filter(|row| row["reason"].as_str().is_some_and(|it| it.contains("earlier command")));
    assert_eq!(earlier.count(), 2, "what was put back, and what that meant for clients: {notes:?}");
    let journal = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("it has one");
    assert_eq!(journal.matches(r#""event":"canary""#).count(), 1, "{journal}");
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn a_receipt_of_requests_says_what_the_app_itself_has_answered() {
    let _listening = listening();
    let (home, source, clients) = reached_by_http();
    home.write("shop/Procfile", "web: exec faultapp --listen --answer 500\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let ran = home.run(&["ps-lifecycle", "restart", "shop", "--require", "zero-failed", "--format", "json"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let row = ran.rows().into_iter().find(|row| row["phase"] == "receipt").expect("clients came");
    let receipt = &row["receipt"];
    assert_eq!((&receipt["unit"], &row["outcome"]), (&"requests".into(), &"done".into()), "{receipt}");
    let count = |what: &str| receipt[what].as_u64().expect("a count");
    // Each client may have been waiting for an answer when the rollout began.
    assert!(
        count("errors") > 0 && count("errors") <= count("before") + count("after") + CLIENTS,
        "{receipt}"
    );
    let line = row["reason"].as_str().expect("a line");
    assert!(line.starts_with("requests: ") && line.ends_with("no other failed"), "{line}");
    assert!(line.contains("answered by the app with a status of 500 or above"), "{line}");
    clients.end();
}
