use ps_rollout::Lane;

use super::*;
use crate::revision::{Manner, NEXT_FILE, USUAL};

fn slot(text: &str) -> Slot {
    text.parse().expect("a slot")
}

/// `web=3`, of which `web.3` is stopped by hand.
fn next() -> Next {
    let json = serde_json::json!({
        "app": "shop", "revision": 7, "directory": "/", "env": {}, "env_files": [], "base_port": 0, "places": {},
        "restart_policy": "no", "stop_timeout_seconds": 1, "stopped": ["web.3"],
        "processes": [{"process_type": "web", "command": "true", "quantity": 3}],
    });
    let manner = || Manner { rules: USUAL };
    let rolling = ["web", "old"].map(|name| (name.to_owned(), manner())).into();
    Next { spec: serde_json::from_value(json).expect("a spec"), rolling, canary: None }
}

fn order(fresh: &[&str], present: &[&str]) -> Order {
    let filled = |number, text: &&str| (slot(text), Present { number, lane: Lane::Own, is_up: true });
    Order {
        fresh: fresh.iter().map(|text| slot(text)).collect(),
        present: (1..).zip(present).map(|(number, text)| filled(number, text)).collect(),
        next_number: 10,
        reason: None,
    }
}

#[test]
fn what_is_there_decides_what_becomes_of_a_slot() {
    let plan = plan(&next(), &order(&["web.1", "web.2", "web.3"], &["web.1", "web.3", "old.1"]), None);
    let words = |name: &str| -> Vec<(u16, &'static str)> {
        let word = |change: &Change| match change {
            Change::Keep(_) => "keep",
            Change::Start => "start",
            Change::Stop(_) => "stop",
            Change::Replace(_) => "replace",
        };
        plan.types[name].slots.iter().map(|(index, change)| (*index, word(change))).collect()
    };
    assert_eq!(words("web"), [(1, "replace"), (2, "start"), (3, "stop")]);
    assert_eq!(words("old"), [(1, "stop")]);
    let kept = super::plan(&next(), &order(&[], &["web.1"]), None);
    assert!(matches!(kept.types["web"].slots[&1], Change::Keep(_)));
    assert_eq!(kept.types["web"].slots.len(), 1, "an empty slot that gets no run is no part of it");
}

#[test]
fn a_run_that_listens_or_says_so_itself_keeps_no_other_slot_waiting_for_its_minimum_life() {
    for (ready, is_checked) in [(Ready::Listening, true), (Ready::Notify, true), (Ready::Alive, false)] {
        let mut next = next();
        next.spec.processes[0].health = Some(Health { ready, ..Health::default() });
        let rules = plan(&next, &order(&["web.1"], &["web.1"]), None).types["web"].rules;
        assert_eq!(rules.is_checked, is_checked, "{ready:?}");
        assert_eq!(rules.minimum_life, Duration::from_secs(1), "its trial lives for a second all the same");
    }
}

#[test]
fn whoever_takes_over_reads_what_was_written_before_it_was_done() {
    let service = tempfile::tempdir().expect("a directory");
    let service = service.path();
    let old = Spec { revision: 6, ..next().spec };
    assert!(matches!(Carried::left(service, &old), Left::Nothing));
    std::fs::write(service.join(NEXT_FILE), next().to_json()).expect("written");
    let order = order(&["web.1"], &["web.1"]);
    let mut carried = Carried::new(service, next(), order).expect("it can be written");
    let actions = carried.decide(service, 12);
    assert!(matches!(&actions[..], [Action::Start { run, lane: Lane::Second, .. }] if run.number == 12));
    let Left::Rollout(mut found) = Carried::left(service, &old) else { panic!("nothing is left") };
    assert_eq!((found.next.spec.revision, &found.fresh), (7, &carried.fresh));
    found.hear(Event::Resumed(Vec::new()));
    assert!(found.decide(service, 13).contains(&actions[0]), "what was ordered is ordered again");
}

#[test]
fn what_makes_no_sense_or_is_of_a_later_format_is_gone_on_with_by_nobody() {
    let service = tempfile::tempdir().expect("a directory");
    let service = service.path();
    Carried::new(service, next(), order(&["web.1"], &[])).expect("it can be written");
    let written = std::fs::read_to_string(service.join(ROLLOUT_FILE)).expect("text");
    let later = written.replacen("\"format\":1", "\"format\":2", 1);
    for text in [&later, "{\"format\":", ""] {
        std::fs::write(service.join(ROLLOUT_FILE), text).expect("written");
        assert!(matches!(Carried::left(service, &next().spec), Left::Unreadable), "{text}");
    }
    forget(service);
    assert!(!is_rolling(service));
}

#[test]
fn a_slot_that_a_person_stops_meanwhile_is_stopped_in_what_is_submitted_too() {
    let service = tempfile::tempdir().expect("a directory");
    let service = service.path();
    std::fs::write(service.join(NEXT_FILE), next().to_json()).expect("written");
    let order = order(&["web.1", "web.2"], &["web.1", "web.2"]);
    let mut carried = Carried::new(service, next(), order).expect("it can be written");
    carried.decide(service, 10);
    carried.stop(service, &[slot("web.2")]).expect("written");
    let stopped = Next::read(service).expect("submitted").spec.stopped;
    assert_eq!(stopped, [slot("web.3"), slot("web.2")]);
}

#[test]
fn a_disk_that_takes_no_record_has_the_rollout_put_back() {
    let service = tempfile::tempdir().expect("a directory");
    let order = order(&["web.1"], &["web.1"]);
    let mut carried = Carried::new(service.path(), next(), order).expect("it can be written");
    let gone = service.path().join("gone");
    carried.decide(&gone, 10);
    let report = carried.report();
    assert_eq!(report.stage, Stage::PuttingBack);
    assert!(report.unwritten.is_some_and(|reason| reason.contains("rollout.json")));
}
