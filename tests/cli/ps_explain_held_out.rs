//! `ps-explain` against faults whose author has not seen its rules: each is made for real, in a world of its own, and what is said
//! of it is judged by what somebody who repairs it would have to know. What came of the very first run, before any rule was
//! changed, stands in `ps_explain_held_out/first-run.md`.
//!
//! A plain run makes one fault of some kinds; with `FORMATION_TEST_LONG=1` every fault is made, and the table of all is
//! said on stderr. `FORMATION_TEST_FAULT=<part of a kind or name>` makes those alone, and prints what was said of each.

#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "support/asking.rs"]
mod asking;
#[path = "support/certificates.rs"]
#[expect(dead_code, reason = "the tests of ps-balance need more of it")]
mod certificates;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/program.rs"]
mod program;

#[path = "ps_explain_held_out/checks.rs"]
mod checks;
#[path = "ps_explain_held_out/code.rs"]
mod code;
#[path = "ps_explain_held_out/containers.rs"]
mod containers;
#[path = "ps_explain_held_out/eighth.rs"]
mod eighth;
#[path = "ps_explain_held_out/eleventh.rs"]
mod eleventh;
#[path = "ps_explain_held_out/ends.rs"]
mod ends;
#[path = "ps_explain_held_out/fault.rs"]
mod fault;
#[path = "ps_explain_held_out/fifteenth.rs"]
mod fifteenth;
#[path = "ps_explain_held_out/fifteenth_machine.rs"]
mod fifteenth_machine;
#[path = "ps_explain_held_out/fifth.rs"]
mod fifth;
#[path = "ps_explain_held_out/fourteenth.rs"]
mod fourteenth;
#[path = "ps_explain_held_out/fourth.rs"]
mod fourth;
#[path = "ps_explain_held_out/healthy.rs"]
mod healthy;
#[path = "ps_explain_held_out/network.rs"]
mod network;
#[path = "ps_explain_held_out/ninth.rs"]
mod ninth;
#[path = "ps_explain_held_out/ninth_programs.rs"]
mod ninth_programs;
#[path = "ps_explain_held_out/noise.rs"]
mod noise;
#[path = "ps_explain_held_out/orders.rs"]
mod orders;
#[path = "ps_explain_held_out/resources.rs"]
mod resources;
#[path = "ps_explain_held_out/second.rs"]
mod second;
#[path = "ps_explain_held_out/settings.rs"]
mod settings;
#[path = "ps_explain_held_out/seventh.rs"]
mod seventh;
#[path = "ps_explain_held_out/sixteenth.rs"]
mod sixteenth;
#[path = "ps_explain_held_out/sixteenth_machine.rs"]
mod sixteenth_machine;
#[path = "ps_explain_held_out/sixth.rs"]
mod sixth;
#[path = "ps_explain_held_out/stage.rs"]
mod stage;
#[path = "ps_explain_held_out/table.rs"]
mod table;
#[path = "ps_explain_held_out/tenth.rs"]
mod tenth;
#[path = "ps_explain_held_out/third.rs"]
mod third;
#[path = "ps_explain_held_out/thirteenth.rs"]
mod thirteenth;
#[path = "ps_explain_held_out/twelfth.rs"]
mod twelfth;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fault::{Fault, Said};

/// So many faults are made at a time: most of them wait more than they compute.
const AT_A_TIME: usize = 4;
/// Of so many faults a plain run makes one.
const ONE_OF: usize = 8;

fn every_fault() -> Vec<Fault> {
    [
        code::faults(),
        settings::faults(),
        network::faults(),
        resources::faults(),
        ends::faults(),
        checks::faults(),
        orders::faults(),
        healthy::faults(),
        noise::faults(),
        containers::faults(),
        second::faults(),
        third::faults(),
        fourth::faults(),
        fifth::faults(),
        sixth::faults(),
        seventh::faults(),
        eighth::faults(),
        ninth::faults(),
        ninth_programs::faults(),
        tenth::faults(),
        eleventh::faults(),
        twelfth::faults(),
        thirteenth::faults(),
        fourteenth::faults(),
        fifteenth::faults(),
        fifteenth_machine::faults(),
        sixteenth::faults(),
        sixteenth_machine::faults(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Makes each fault, and has it explained.
fn explained(faults: &[Fault]) -> Vec<(&Fault, Said)> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let answer = fault.explained();
                    said.lock().expect("no panic").push((fault, answer));
                }
            });
        }
    });
    let mut said = said.into_inner().expect("no panic");
    said.sort_by_key(|(fault, _)| faults.iter().position(|other| std::ptr::eq(other, *fault)));
    said
}

#[test]
fn faults_that_the_author_of_the_rules_has_not_seen_are_named_and_none_is_named_wrongly() {
    let mut faults = every_fault();
    let only = std::env::var("FORMATION_TEST_FAULT").ok();
    if let Some(only) = &only {
        faults.retain(|fault| fault.kind.contains(only) || fault.name.contains(only));
    } else if !faults::long() {
        let mut nth = 0..;
        faults.retain(|_| nth.next().is_some_and(|nth: usize| nth.is_multiple_of(ONE_OF)));
    }
    let said = explained(&faults);
    if only.is_some() || faults::long() {
        faults::note(&table::of_all(&said, only.is_some()));
    }
    let judged = table::Sum::of(&said);
    assert!(judged.holds(), "{judged}\n{}", table::what_went_wrong(&said));
}

#[test]
fn there_are_enough_faults_of_enough_kinds() {
    let faults = every_fault();
    let kinds: BTreeSet<&str> = faults.iter().map(|fault| fault.kind).collect();
    assert!(faults.len() >= 120 && kinds.len() >= 40, "{} faults of {} kinds", faults.len(), kinds.len());
    let names: BTreeSet<(&str, &str)> = faults.iter().map(|fault| (fault.kind, fault.name)).collect();
    assert_eq!(names.len(), faults.len(), "each has a name of its own");
}
