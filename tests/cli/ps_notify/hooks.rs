//! The trigger `on-event`.

use std::fs;

use serde_json::Value;

use crate::home::{Home, eventually};
use crate::receiver::{Place, Receiver, deploy, failures, is_as_its_schema_says, kill, set};

/// A hook that keeps its words and what it reads.
const KEEPS: &str = "#!/bin/sh\n{ printf '%s %s ' \"$1\" \"$2\"; cat; echo; } >> \"$HOME/told\"\n";

fn told(home: &Home) -> Vec<(String, Value)> {
    let text = fs::read_to_string(home.path("told")).unwrap_or_default();
    let line = |line: &str| {
        let (words, json) = line.split_at(line.find('{')?);
        Some((words.trim().to_owned(), serde_json::from_str(json).ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn hears(home: &Home, words: &str) -> Value {
    eventually(words, || {
        let told = told(home);
        told.iter()
            .find(|(heard, _)| heard == words)
            .map(|(_, alert)| alert.clone())
            .ok_or_else(|| format!("{told:?}"))
    })
}

#[test]
fn a_hook_is_called_with_the_app_and_the_event_and_reads_the_alert() {
    let home = Place::new();
    home.hook("mail/on-event", KEEPS);
    deploy(&home, "no");
    assert_eq!(hears(&home, "shop deploy-finished")["entry"]["verb"], "deploy");
    kill(&home);
    let alert = hears(&home, "shop process-crashed");
    is_as_its_schema_says(&alert);
    assert_eq!((&alert["event"], &alert["entry"]["slot"]), (&"process-crashed".into(), &"web.1".into()));
    assert_eq!(failures(&home), Vec::<String>::new());
}

#[test]
fn a_hook_that_fails_keeps_nobody_else_from_being_told() {
    let Some(receiver) = Receiver::start("") else { return };
    let home = Place::new();
    home.hook("mail/on-event", "#!/bin/sh\nexit 7\n");
    set(&home, "--global", &receiver.address());
    deploy(&home, "no");
    receiver.takes("deploy-finished");
    let said = eventually("it is said", || failures(&home).pop().ok_or_else(|| "nothing".to_owned()));
    assert!(
        said.starts_with("deploy-finished was not told: ") && said.contains("mail") && said.contains('7'),
        "{said}"
    );
}

#[test]
fn whether_alerts_arrive_can_be_tried() {
    let home = Place::new();
    deploy(&home, "no");
    refused(&home, "nope", 20, "nope");
    refused(&home, "shop", 1, "ps-set shop webhook");
    home.hook("mail/on-event", KEEPS);
    let ran = home.run(&["ps-notify", "shop", "--test"]);
    assert!(ran.status == Some(0) && ran.stderr.contains("was delivered"), "{ran:?}");
    let alert = hears(&home, "shop test");
    is_as_its_schema_says(&alert);
    assert_eq!(alert["text"], "shop: alerts arrive here");
    home.hook("mail/on-event", "#!/bin/sh\nexit 7\n");
    refused(&home, "shop", 1, "mail");
}

fn refused(home: &Home, app: &str, status: i32, says: &str) {
    let ran = home.run(&["ps-notify", app, "--test"]);
    assert!(ran.status == Some(status) && ran.stderr.contains(says), "{ran:?}");
}
