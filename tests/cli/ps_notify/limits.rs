//! How much is told in a while.

use std::fs;

use formation::Slot;
use ps_apps::World;
use ps_journal::Journal;
use serde_json::Value;

use crate::home::{Home, eventually};
use crate::receiver::{Place, Receiver, deploy, set, tellers};

fn kept(home: &Home) -> Value {
    let text = fs::read_to_string(home.path("lib/data/formation/shop/alerts.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[test]
fn of_many_alerts_ten_are_told_and_the_others_as_one_when_the_minute_is_over() {
    let Some(receiver) = Receiver::start("") else { return };
    let home = Place::new();
    deploy(&home, "no");
    set(&home, "shop", &receiver.address());
    let world = World::new(home.path("home"), home.path("lib"));
    let app = "shop".parse().expect("a name");
    let slot: Slot = "web.1".parse().expect("a slot");
    for number in 0..40 {
        let what = format!("number {number}");
        Journal::of(&world, &app).happened(
            "memory",
            std::slice::from_ref(&slot),
            None,
            &what,
            true,
            |loss| panic!("{loss}"),
        );
    }
    let mut teller = home.start(&["ps-notify", "shop"]);
    // The deploy is one of the ten.
    eventually("the others are counted", || {
        let kept = kept(&home);
        if kept["left_out"]["incident"] == 31 { Ok(()) } else { Err(format!("{kept:#}")) }
    });
    assert_eq!(receiver.tries().len(), 10);
    assert!(teller.is_running(), "it waits for the end of the minute");
    drop(teller);
    assert!(tellers(&home).is_empty());
    // The minute passes: what was told lies further back.
    let mut long_ago = kept(&home);
    long_ago["told"] = vec!["2026-01-01T00:00:00Z"; 10].into();
    fs::write(home.path("lib/data/formation/shop/alerts.json"), long_ago.to_string()).expect("written");
    home.does(&["ps-notify", "shop"]);
    let alert = receiver.takes("more");
    assert_eq!((&alert["events"]["incident"], receiver.tries().len()), (&31.into(), 11));
    assert_eq!(alert["text"], "shop: and 31 more: 31 incident");
    assert_eq!(kept(&home)["left_out"], serde_json::json!({}));
}

#[test]
fn what_happened_long_ago_is_not_told() {
    let Some(receiver) = Receiver::start("") else { return };
    let home = Place::new();
    deploy(&home, "no");
    let journal = home.path("lib/data/formation/shop/journal");
    let text = fs::read_to_string(&journal).expect("a journal");
    let old: Vec<String> = text
        .lines()
        .map(|line| {
            let mut entry: Value = serde_json::from_str(line).expect("JSON");
            entry["at"] = "2026-01-01T00:00:00Z".into();
            entry.to_string() + "\n"
        })
        .collect();
    fs::write(&journal, old.concat()).expect("written");
    set(&home, "shop", &receiver.address());
    home.does(&["ps-notify", "shop"]);
    assert!(receiver.tries().is_empty(), "{:#?}", receiver.tries());
}
