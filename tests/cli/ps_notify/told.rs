//! What is told: crashes, deploys, and each of it once.

use std::fs;

use crate::certificates::Made;
use crate::home::eventually;
use crate::program::run;
use crate::receiver::{Place, Receiver, SECRET, deploy, failures, home_of, kill, set, tellers};

#[test]
fn a_deploy_and_a_crash_arrive() {
    let Some(receiver) = Receiver::start("") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    let alert = receiver.takes("deploy-finished");
    assert_eq!(
        (&alert["app"], &alert["format"], &alert["entry"]["verb"]),
        (&"shop".into(), &1.into(), &"deploy".into())
    );
    kill(&home);
    let alert = receiver.takes("process-crashed");
    assert_eq!((&alert["entry"]["slot"], &alert["entry"]["step"]), (&"web.1".into(), &"crashed".into()));
    assert!(
        alert["text"].as_str().is_some_and(|text| text.starts_with("shop: web.1@1: given up")),
        "{alert:#}"
    );
    let tries = receiver.tries();
    let events: Vec<&str> = tries.iter().filter_map(|told| told["alert"]["event"].as_str()).collect();
    assert_eq!(events, ["deploy-finished", "process-exited", "process-crashed"]);
    assert!(
        tries.iter().all(|told| told["path"] == SECRET && told["type"] == "application/json"),
        "{tries:#?}"
    );
}

#[test]
fn a_deploy_that_fails_arrives_and_names_what_is_wrong() {
    let Some(receiver) = Receiver::start("") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    receiver.takes("deploy-finished");
    let source = home.source("shop", "web: exit 3\n");
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let alert = receiver.takes("deploy-failed");
    assert!(alert["entry"]["error"].as_str().is_some_and(|error| error.contains("web.1")), "{alert:#}");
}

#[test]
fn what_the_webhook_cannot_take_now_is_sent_again() {
    let Some(receiver) = Receiver::start("500 503") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    let alert = receiver.takes("deploy-finished");
    let tries = receiver.tries();
    let answers: Vec<&str> = tries.iter().filter_map(|told| told["answer"].as_str()).collect();
    assert_eq!(answers, ["500", "503", "200"]);
    assert!(tries.iter().all(|told| told["alert"] == alert), "{tries:#?}");
    assert_eq!(failures(&home), Vec::<String>::new());
}

#[test]
fn what_it_refuses_is_not() {
    let Some(receiver) = Receiver::start("403") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    let said = eventually("it is said", || failures(&home).pop().ok_or_else(|| "nothing".to_owned()));
    assert_eq!(said, "deploy-finished was not told: the webhook, tried once: it answered with status 403");
    assert_eq!(receiver.tries().len(), 1);
}

#[test]
fn where_nobody_listens_it_is_tried_three_times_and_said_in_the_journal() {
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let home = home_of(&format!("http://{free}{SECRET}"));
    deploy(&home, "no");
    let said = eventually("it is said", || failures(&home).pop().ok_or_else(|| "nothing".to_owned()));
    assert!(
        said.starts_with("deploy-finished was not told: the webhook, tried 3 times: Connection refused"),
        "{said}"
    );
    let events = home.does(&["ps-lifecycle", "events", "shop"]);
    assert!(events.contains("alerts: deploy-finished was not told"), "{events}");
}

#[test]
fn by_https_only_a_certificate_that_the_machine_trusts_is_accepted() {
    let place = tempfile::tempdir().expect("a directory");
    Made::of("127.0.0.1").put(place.path());
    let Some(receiver) = Receiver::encrypted(place.path()) else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    let said = eventually("it is said", || failures(&home).pop().ok_or_else(|| "nothing".to_owned()));
    assert!(
        said.ends_with("tried once: this machine does not trust whoever issued its certificate (SSL_CERT_FILE names other authorities)"),
        "{said}"
    );
    assert!(receiver.tries().is_empty());
    let mut command = home.command(&["ps-notify", "shop", "--test"]);
    command.env("SSL_CERT_FILE", place.path().join("server.crt"));
    let ran = run(command);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    receiver.takes("test");
}

#[test]
fn a_certificate_for_another_name_is_said_to_be_that() {
    let place = tempfile::tempdir().expect("a directory");
    Made::of("localhost").put(place.path());
    let Some(receiver) = Receiver::encrypted(place.path()) else { return };
    let home = Place::new();
    deploy(&home, "no");
    set(&home, "shop", &receiver.address());
    let mut command = home.command(&["ps-notify", "shop", "--test"]);
    command.env("SSL_CERT_FILE", place.path().join("server.crt"));
    let ran = run(command);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("tried once: its certificate is for another name"), "{ran:?}");
    assert!(receiver.tries().is_empty());
}

#[test]
fn a_redirect_is_not_followed_and_the_journal_says_what_to_do() {
    let Some(receiver) = Receiver::start("302") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    let said = eventually("it is said", || failures(&home).pop().ok_or_else(|| "nothing".to_owned()));
    assert_eq!(
        said,
        "deploy-finished was not told: the webhook, tried once: it answered with status 302, which leads elsewhere: set the address that it leads to"
    );
    assert_eq!(receiver.tries().len(), 1);
}

#[test]
fn many_at_once_tell_each_alert_once() {
    let Some(receiver) = Receiver::start("") else { return };
    let home = Place::new();
    deploy(&home, "no");
    set(&home, "shop", &receiver.address());
    let mut running: Vec<_> = (0..20).map(|_| home.start(&["ps-notify", "shop"])).collect();
    for one in &mut running {
        eventually("it ends", || if one.is_running() { Err("it runs".to_owned()) } else { Ok(()) });
    }
    assert_eq!(receiver.tries().len(), 1, "{:#?}", receiver.tries());
    // Nothing is new.
    home.does(&["ps-notify", "shop"]);
    assert_eq!(receiver.tries().len(), 1);
}

#[test]
fn what_was_cut_off_is_told_by_the_next_run() {
    let Some(receiver) = Receiver::start("never") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    let cut = receiver.try_of("deploy-finished", "never");
    for teller in tellers(&home) {
        let _ = rustix::process::kill_process(teller, rustix::process::Signal::KILL);
    }
    eventually("it is gone", || if tellers(&home).is_empty() { Ok(()) } else { Err("it lives".to_owned()) });
    home.does(&["ps-notify", "shop"]);
    assert_eq!(receiver.takes("deploy-finished"), cut["alert"]);
}

#[test]
fn what_nobody_asked_for_is_not_told_and_nothing_is_left_by_it() {
    let home = Place::new();
    deploy(&home, "no");
    kill(&home);
    eventually("it is given up", || {
        let states = home.states("shop");
        if states["web.1"] == "crashed" { Ok(()) } else { Err(format!("{states:?}")) }
    });
    assert!(tellers(&home).is_empty());
    assert!(!fs::exists(home.path("lib/data/formation/shop/alerts.json")).expect("a look"));
}
