//! `listen` is `auto`: a new app is reached at an address that is chosen once, from one table.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use crate::asking::{ask, found, some_address};
use crate::home::{Home, listening};
use crate::program::Ran;

const WEB: &str = "web: exec faultapp --listen\nworker: exec faultapp --listen\n";

fn home() -> Home {
    let home = Home::as_installed();
    home.does(&["ps-set", "--global", "listen", "auto"]);
    home
}

/// Nothing is set for all apps any more.
fn end(home: &Home) {
    home.does(&["ps-set", "--global", "listen"]);
}

fn deploy(home: &Home, app: &str, words: &[&str]) -> Ran {
    let source = home.source(app, WEB);
    home.run(&[&["ps-lifecycle", "deploy", app, "--dir", &source], words].concat())
}

/// Where the app is reached, by its property.
fn address(home: &Home, app: &str) -> SocketAddr {
    home.does(&["ps-set", "--get", app, "listen"]).trim().parse().expect("an address")
}

#[test]
fn new_apps_have_thousands_whose_holders_are_passed_over_and_named() {
    let _listening = listening();
    let home = home();
    // Whoever else may have it on this machine: it is held now.
    let _held = TcpListener::bind("127.0.0.1:5000");
    let ran = deploy(&home, "shop", &["--scale", "web=2", "worker=1"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("shop is not reached at 127.0.0.1:5000: port 5000 is held by "), "{ran:?}");
    let first = address(&home, "shop");
    assert!(first.port() > 5000 && ran.stderr.contains(&format!("shop is reached at {first}\n")), "{ran:?}");
    ask(first, "/pid").expect("it is there");
    for row in home.status("shop") {
        let port = row["port"].as_u64().expect("a port");
        let is_web = row["process_type"] == "web";
        assert!(is_web || port == u64::from(first.port()) + 100, "{row}");
        assert!(
            !is_web || port != u64::from(first.port()),
            "an instance listens at a port of its own: {row}"
        );
    }
    assert_eq!(deploy(&home, "blog", &[]).status, Some(0));
    let second = address(&home, "blog");
    assert!(second.port() >= first.port() + 1000, "{first} {second}");
    // Decided once.
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    assert_eq!(address(&home, "shop"), first);
    // An app without an address keeps away from both.
    home.does(&["ps-set", "--global", "listen", "none"]);
    assert_eq!(deploy(&home, "old", &[]).status, Some(0));
    let port = home.status("old")[0]["port"].as_u64().expect("a port");
    let is_apart = |other: SocketAddr| port.abs_diff(other.port().into()) >= 1000;
    assert!(is_apart(first) && is_apart(second), "{port} {first} {second}");
    // It was deployed before, and is told what it can have.
    home.does(&["ps-set", "--global", "listen", "auto"]);
    let ran = deploy(&home, "old", &[]);
    assert!(ran.stderr.contains("ps-lifecycle proxy old --listen"), "{ran:?}");
    assert_eq!(home.status("old")[0]["port"].as_u64(), Some(port));
    end(&home);
}

#[test]
fn first_deploys_at_the_same_time_choose_different_addresses_and_a_failed_one_keeps_nothing() {
    let _listening = listening();
    let home = home();
    let source = home.source("all", WEB);
    let apps = ["a", "b", "c", "d"];
    let all = apps.map(|app| {
        let mut command: Command = home.command(&["ps-lifecycle", "deploy", app, "--dir", &source]);
        command.spawn().expect("it starts")
    });
    for mut deploy in all {
        assert!(deploy.wait().expect("it ends").success());
    }
    let mut addresses = apps.map(|app| address(&home, app));
    addresses.sort();
    assert!(addresses.windows(2).all(|pair| pair[1].port() - pair[0].port() >= 1000), "{addresses:?}");
    for at in addresses {
        ask(at, "/pid").expect("it is there");
    }
    assert_eq!(found(&home, "ps-balance ").len(), 4);
    home.write("bad/Procfile", "web: exec false\n");
    let bad = home.path("bad").display().to_string();
    assert_eq!(home.run(&["ps-lifecycle", "deploy", "e", "--dir", &bad]).status, Some(1));
    let next = deploy(&home, "f", &[]);
    assert_eq!(next.status, Some(0), "{next:?}");
    let last = addresses[3].port();
    assert!(address(&home, "f").port() > last);
    end(&home);
}

#[test]
fn one_who_says_otherwise_is_heeded_and_no_address_is_for_all_apps() {
    let _listening = listening();
    let home = home();
    let refused = home.run(&["ps-set", "--global", "listen", "0.0.0.0:80"]);
    assert!(refused.status == Some(1) && refused.stderr.contains("auto or none"), "{refused:?}");
    assert_eq!(deploy(&home, "shop", &["--listen", "none"]).status, Some(0));
    assert_eq!(home.does(&["ps-set", "--get", "shop", "listen"]), "none\n");
    let own = some_address().port();
    home.source("own", WEB);
    home.write("home/own/ENV", "");
    home.does(&["ps-set", "own", "port", &own.to_string()]);
    assert_eq!(deploy(&home, "own", &["--scale", "web=1"]).status, Some(0));
    assert_eq!(address(&home, "own"), ([127, 0, 0, 1], own).into());
    home.write("jobs/Procfile", "worker: exec faultapp --listen\n");
    let jobs = home.path("jobs").display().to_string();
    home.does(&["ps-lifecycle", "deploy", "jobs", "--dir", &jobs, "--scale", "worker=1"]);
    assert!(!home.path("lib/config/ps/jobs/listen").exists(), "nobody talks to it");
    end(&home);
}
