//! What a deploy writes down is files of five directories. Whatever breaks while they are written, the next who takes the
//! app's lock finds all of one release.

use faults::reading::Question;
use faults::sandbox::Sandbox;
use faults::strace::{self, Fault, Point};
use faults::sweep::CHANGING;
use faults::verb::Verb;
use faults::{count, long, note, programs};

/// The lock is taken by somebody who changes nothing.
const NEXT: [&str; 3] = ["apps-on-disk", "try-lock", "hello"];

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn second_deploy(before: &[&str]) -> Verb {
    Verb {
        name: "record".to_owned(),
        before: before.iter().map(|line| words(line)).collect(),
        command: words("apps-on-disk record hello second 3"),
        question: Question::parse("formation hello").expect("a question"),
        after: "web=3".to_owned(),
    }
}

/// A plain run breaks what names, makes durable or removes a file. A `close` that strace makes fail never happens, which
/// no kernel does: the program would hold the lock of its directory for ever.
fn is_tried(syscall: &str, fault: Fault) -> bool {
    let is_possible = fault == Fault::Kill || syscall != "close";
    let is_plain = ["fsync", "mkdirat", "renameat", "renameat2", "unlinkat"].contains(&syscall);
    is_possible && if long() { CHANGING.contains(&syscall) } else { is_plain }
}

/// Breaks each call in turn; how many points there were, and after how many something was left for the next to finish.
fn swept(verb: &Verb, fault: Fault) -> (usize, usize) {
    let sandbox = Sandbox::before(verb).expect("a world");
    let settled = |sandbox: &Sandbox| {
        let next = sandbox.run(&NEXT.map(str::to_owned)).expect("it runs");
        assert!(next.status.success(), "{next:?}");
        let mut now = sandbox.snapshot().expect("readable");
        now.0.retain(|path, _| !path.components().any(|part| part.as_os_str() == ".stage"));
        now
    };
    let old = settled(&sandbox);
    let calls = strace::record(&sandbox, &verb.command).expect("it can be traced");
    let new = settled(&sandbox);
    assert!(old.differs(&new).len() >= 5, "{:?}", old.differs(&new));
    let (mut points, mut unfinished) = (0, 0);
    for (syscall, calls) in calls.iter().filter(|(name, _)| is_tried(name, fault)) {
        for k in calls.before + 1..=calls.all {
            sandbox.restore().expect("the world before");
            let broken =
                strace::inject(&sandbox, &verb.command, Point { syscall, k, fault }).expect("it runs");
            let Some(call) = broken.broken_call else { break };
            points += 1;
            let there = sandbox.world().join("lib/data/apps/hello/deployed.json").exists();
            unfinished += usize::from(there);
            let now = settled(&sandbox);
            assert!(
                now == old || now == new,
                "{syscall} {k} {fault:?}, {call}: neither release: of the old {:?}, of the new {:?}; it said {:?}",
                now.differs(&old),
                now.differs(&new),
                broken.ran.stderr,
            );
            assert!(
                !broken.ran.status.success() || now == new,
                "{syscall} {k}: success, but the old release"
            );
        }
    }
    (points, unfinished)
}

#[test]
fn a_record_that_is_cut_off_is_the_old_or_the_new_release_for_the_next_verb() {
    if !programs::strace_works() {
        return skipped::skip("no sweep without strace (scripts/setup installs it)");
    }
    programs::build().expect("the programs build");
    let first = ["apps-on-disk create hello", "apps-on-disk record hello first 1"];
    let faults = [Fault::Kill, Fault::Error("ENOSPC"), Fault::LastingError("EIO")];
    for before in [&first[..], &first[..1]] {
        for fault in &faults[..count(2, 3)] {
            let (points, unfinished) = swept(&second_deploy(before), *fault);
            note(&format!("record, {fault:?}: {points} points, {unfinished} with something left to finish"));
            assert!(
                points > 30 && unfinished > 10,
                "{points} points, {unfinished} unfinished: a blind sweep"
            );
        }
    }
}
