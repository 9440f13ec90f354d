//! The power fails at any moment of a verb: whatever a disk may then hold reads as old or new, and once the verb has
//! returned it is new.

use std::collections::BTreeSet;
use std::fs;

use faults::power::{History, State};
use faults::sandbox::Sandbox;
use faults::verb::{self, Verb};
use faults::{note, programs, script, strace};

/// What was looked at, and what must not be.
#[derive(Default)]
struct Found {
    moments: usize,
    states: usize,
    violations: Vec<String>,
}

/// A verb whose deeds are known, in its world before.
struct Recorded<'a> {
    verb: &'a Verb,
    sandbox: Sandbox,
    deeds: Vec<script::Deed>,
    old: String,
}

impl<'a> Recorded<'a> {
    fn of(verb: &'a Verb) -> Self {
        let sandbox = Sandbox::before(verb).expect("a sandbox");
        let old = verb.question.ask(&sandbox.world()).expect("an answer");
        let lines = strace::script(&sandbox, &verb.command, script::CALLS).expect("a recording");
        let deeds = script::read(&lines, &sandbox.world()).expect("calls that are understood");
        assert_eq!(verb.question.ask(&sandbox.world()).expect("an answer"), verb.after, "{}", verb.name);
        sandbox.restore().expect("the world before");
        Self { verb, sandbox, deeds, old }
    }

    fn history(&self) -> History {
        History::of(&self.sandbox.world(), &self.deeds).expect("a history")
    }

    /// Asks about every state of every moment.
    fn judge(&self, history: &History, found: &mut Found) {
        let last = history.moments() - 1;
        found.moments += last + 1;
        for moment in 0..=last {
            let states: BTreeSet<State> = history.states(moment).expect("few states").into_iter().collect();
            found.states += states.len();
            for state in states {
                let answer = self.ask(&state);
                let is_right = answer == self.verb.after || (moment < last && answer == self.old);
                if !is_right {
                    found
                        .violations
                        .push(format!("{}, moment {moment} of {last}: {answer:?}", self.verb.name));
                }
            }
        }
    }

    fn ask(&self, state: &State) -> String {
        let (world, root) = (self.sandbox.world(), self.sandbox.scratch("after"));
        let _ = fs::remove_dir_all(&root);
        for (path, bytes) in state {
            let target = root.join(path.strip_prefix(&world).expect("a path in the world"));
            match bytes {
                Some(bytes) => fs::write(target, bytes).expect("a file"),
                None => fs::create_dir_all(target).expect("a directory"),
            }
        }
        self.verb.question.ask(&root).expect("an answer")
    }
}

fn recorded(verbs: &[Verb]) -> Vec<Recorded<'_>> {
    programs::build().expect("the programs build");
    verbs.iter().map(Recorded::of).collect()
}

#[test]
fn a_power_failure_leaves_the_old_or_the_new_and_after_the_end_the_new() {
    if !programs::strace_works() {
        skipped::skip("no recording without strace (scripts/setup installs it)");
        return;
    }
    let verbs = verb::all().expect("a table");
    let verbs = recorded(&verbs);
    let (mut ours, mut no_files, mut no_directories) = (Found::default(), Found::default(), Found::default());
    for recorded in &verbs {
        recorded.judge(&recorded.history(), &mut ours);
        recorded.judge(&recorded.history().without_syncs(true), &mut no_files);
        recorded.judge(&recorded.history().without_syncs(false), &mut no_directories);
    }
    note(&format!(
        "power loss: {} verbs, {} moments, {} states, {} violations; no file synced (control): {}; no directory \
         synced (control): {}",
        verbs.len(),
        ours.moments,
        ours.states,
        ours.violations.len(),
        no_files.violations.len(),
        no_directories.violations.len(),
    ));
    assert!(ours.violations.is_empty(), "{}", ours.violations.join("\n"));
    assert!(!no_files.violations.is_empty() && !no_directories.violations.is_empty(), "this test is blind");
}

#[test]
fn what_a_deploy_records_is_durable_in_all_its_places_before_the_file_is_removed_that_would_write_it_again() {
    if !programs::strace_works() {
        skipped::skip("no recording without strace (scripts/setup installs it)");
        return;
    }
    programs::build().expect("the programs build");
    for earlier in ["", "; apps-on-disk record hello first 1"] {
        let line = format!(
            "record | apps-on-disk create hello{earlier} | apps-on-disk record hello second 3 | formation hello | web=3"
        );
        let verb = verb::of(&line).expect("a verb");
        let recorded = Recorded::of(&verb);
        let half = recorded.sandbox.world().join("lib/data/apps/hello/deployed.json");
        let is_settled =
            |history: History| history.is_settled(history.before_removal_of(&half).expect("it is removed"));
        assert!(is_settled(recorded.history()), "a power failure may leave another disk: {line}");
        for of_files in [true, false] {
            let history = recorded.history().without_syncs(of_files);
            assert!(!is_settled(history), "this test is blind: {line}");
        }
    }
}

#[test]
fn what_was_stopped_by_hand_is_as_before_or_stopped_after_a_power_failure_and_afterwards_stopped() {
    if !programs::strace_works() {
        skipped::skip("no recording without strace (scripts/setup installs it)");
        return;
    }
    programs::build().expect("the programs build");
    // The first writes the spec, which nobody has written yet; the others write a list beside it.
    for (before, command, after) in [
        ("serve hello", "stop hello 1 web.1", r#"["web.1"]"#),
        ("serve hello; apps-on-disk stop hello 1 web.1", "stop hello 1", "[]"),
        (
            "serve hello; apps-on-disk stop hello 1; apps-on-disk stop hello 1 web.1",
            "stop hello 1 web.2",
            r#"["web.2"]"#,
        ),
    ] {
        let line = format!("stop | apps-on-disk {before} | apps-on-disk {command} | stopped hello | {after}");
        let verb = verb::of(&line).expect("a verb");
        let recorded = Recorded::of(&verb);
        let violations = |history: &History| {
            let mut found = Found::default();
            recorded.judge(history, &mut found);
            found.violations
        };
        assert_eq!(violations(&recorded.history()), Vec::<String>::new(), "{line}");
        for of_files in [true, false] {
            let history = recorded.history().without_syncs(of_files);
            assert!(!violations(&history).is_empty(), "this test is blind: {line}");
        }
    }
}

#[test]
fn what_a_killed_program_removed_stays_removed_once_the_next_one_has_found_it_removed() {
    if !programs::strace_works() {
        skipped::skip("no recording without strace (scripts/setup installs it)");
        return;
    }
    programs::build().expect("the programs build");
    let line = "unset | apps-on-disk create hello; apps-on-disk set hello restart-policy no | apps-on-disk unset hello restart-policy \
                | property ps hello restart-policy | unset";
    let verb = verb::of(line).expect("a verb");
    let Recorded { sandbox, deeds, .. } = Recorded::of(&verb);
    let world = sandbox.world();
    let value = world.join("lib/config/ps/hello/restart-policy");
    let is_removal =
        |deed: &script::Deed| matches!(deed, script::Deed::Rename { from, .. } if *from == value);
    let removal = deeds.iter().position(is_removal).expect("it is removed");
    // The first program is killed when the name has just gone.
    let killed = deeds[..=removal].to_vec();
    assert!(sandbox.run(&verb.command).expect("a run").status.success());
    let lines = strace::script(&sandbox, &verb.command, script::CALLS).expect("a recording");
    let again = script::read(&lines, &world).expect("calls that are understood");
    sandbox.restore().expect("the world before");
    let is_lost = |deeds: &[script::Deed]| {
        let history = History::of(&world, deeds).expect("a history");
        let states = history.states(history.moments() - 1).expect("few states");
        states.iter().any(|state| state.contains_key(&value))
    };
    assert!(is_lost(&killed), "this test is blind");
    assert!(!is_lost(&[killed, again].concat()), "the value may be back");
}

#[test]
fn directories_that_the_first_app_of_a_machine_needs_are_durable_from_the_topmost_on() {
    if !programs::strace_works() {
        skipped::skip("no recording without strace (scripts/setup installs it)");
        return;
    }
    programs::build().expect("the programs build");
    let verb = verb::of("create | | apps-on-disk create hello | app hello | web=1").expect("a verb");
    let sandbox = Sandbox::new().expect("a sandbox");
    let parts = ["home", "lib"].map(|part| sandbox.world().join(part));
    let empty = || parts.iter().for_each(|part| fs::remove_dir_all(part).expect("removed"));
    empty();
    let lines = strace::script(&sandbox, &verb.command, script::CALLS).expect("a recording");
    let deeds = script::read(&lines, &sandbox.world()).expect("calls that are understood");
    empty();
    let history = History::of(&sandbox.world(), &deeds).expect("a history");
    let last = |history: &History| history.states(history.moments() - 1).expect("few states");
    let is_whole = |state: &State| {
        let formation = sandbox.world().join("lib/config/ps/hello/scale");
        state.contains_key(&formation) && state.contains_key(&sandbox.world().join("home/hello"))
    };
    assert!(last(&history).iter().all(is_whole), "the app may be gone");
    assert!(!last(&history.without_syncs(false)).iter().all(is_whole), "this test is blind");
}

#[test]
fn a_writer_in_place_loses_its_value_with_the_power() {
    if !programs::strace_works() {
        skipped::skip("no recording without strace (scripts/setup installs it)");
        return;
    }
    let controls = verb::controls().expect("a table");
    for recorded in recorded(&controls) {
        let mut found = Found::default();
        recorded.judge(&recorded.history(), &mut found);
        note(&format!(
            "{} (control): {} states, {} violations",
            recorded.verb.name,
            found.states,
            found.violations.len()
        ));
        assert!(!found.violations.is_empty(), "{} passed: this test is blind", recorded.verb.name);
    }
}
