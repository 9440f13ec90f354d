//! Whatever breaks while an event is appended, the journal reads as before or with the event, the next one is appended, and
//! the verb succeeds all the same: a journal stops nobody.

use faults::reading::Question;
use faults::sandbox::Sandbox;
use faults::strace::{self, Fault, Point};
use faults::sweep::CHANGING;
use faults::verb::Verb;
use faults::{count, note, programs};
use ps_apps::World;
use ps_journal::{Entry, Event, Journal};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn appending(before: &[&str]) -> Verb {
    Verb {
        name: "note".to_owned(),
        before: before.iter().map(|line| words(line)).collect(),
        command: words("apps-on-disk note hello second"),
        question: Question::parse("app hello").expect("a question"),
        after: String::new(),
    }
}

/// The verbs that the journal tells of. No line of it may be unreadable: half a line at its end does not count.
fn told(sandbox: &Sandbox) -> Vec<String> {
    let world = World::new(sandbox.world().join("home"), sandbox.world().join("lib"));
    let app = "hello".parse().expect("a legal name");
    let contents = Journal::of(&world, &app).read().expect("readable");
    assert_eq!(contents.unreadable, 0, "{contents:?}");
    let verb = |entry: Entry| match entry.event {
        Event::Ended { verb, .. } => verb,
        other => panic!("nobody wrote {other:?}"),
    };
    contents.entries.into_iter().map(verb).collect()
}

/// Whether these are the events of before with the new one. Where a full journal was halved, how many are kept depends on the
/// length of the new line, which is shorter where the machine's boot could not be read: one more or less is right, too, and so is
/// that all are kept because the shorter line has room.
fn is_new(now: &[String], old: &[String], new: &[String]) -> bool {
    let leeway = usize::from(new.len() <= old.len());
    let Some((last, kept)) = now.split_last() else { return false };
    let is_due = kept.len() == old.len() || now.len().abs_diff(new.len()) <= leeway;
    last == "second" && old.ends_with(kept) && is_due
}

fn swept(sandbox: &Sandbox, verb: &Verb, fault: Fault) -> usize {
    let old = told(sandbox);
    let calls = strace::record(sandbox, &verb.command).expect("it can be traced");
    let new = told(sandbox);
    assert_eq!(new.last().map(String::as_str), Some("second"));
    let mut points = 0;
    for (syscall, calls) in calls.iter().filter(|(name, _)| CHANGING.contains(&name.as_str())) {
        if *syscall == "close" && fault != Fault::Kill {
            // A close that strace makes fail never happens, which no kernel does.
            continue;
        }
        for k in calls.before + 1..=calls.all {
            sandbox.restore().expect("the world before");
            let broken =
                strace::inject(sandbox, &verb.command, Point { syscall, k, fault }).expect("it runs");
            let Some(call) = broken.broken_call else { break };
            points += 1;
            let at = format!("{syscall} {k} {fault:?}, {call}; it said {:?}", broken.ran.stderr);
            let now = told(sandbox);
            assert!(now == old || is_new(&now, &old, &new), "{at}: {:?}", now.last());
            if fault != Fault::Kill {
                assert!(broken.ran.status.success(), "{at}: the verb failed");
                let is_said = broken.ran.stderr.contains("the journal of hello lacks");
                assert!(now != old || is_said, "{at}: a loss that nobody is told of");
            }
            let next = sandbox.run(&words("apps-on-disk note hello third")).expect("it runs");
            assert!(next.status.success() && next.stderr.is_empty(), "{at}: then {next:?}");
            let after = told(sandbox);
            assert_eq!(after.last().map(String::as_str), Some("third"), "{at}");
        }
    }
    points
}

#[test]
fn an_event_is_appended_whole_or_not_at_all_and_the_verb_goes_on() {
    if !programs::strace_works() {
        return skipped::skip("no sweep without strace (scripts/setup installs it)");
    }
    programs::build().expect("the programs build");
    let before = ["apps-on-disk create hello", "apps-on-disk note hello first"];
    let faults = [Fault::Kill, Fault::Error("ENOSPC"), Fault::Error("EIO"), Fault::Error("EINTR")];
    for before in [&before[..1], &before[..]] {
        let verb = appending(before);
        let sandbox = Sandbox::before(&verb).expect("a world");
        for fault in &faults[..count(2, 4)] {
            let points = swept(&sandbox, &verb, *fault);
            note(&format!("journal, {fault:?}: {points} points"));
            assert!(points > 3, "{points} points: a blind sweep");
            sandbox.restore().expect("the world before");
        }
    }
}

#[test]
fn a_full_journal_is_halved_whole_or_not_at_all() {
    if !programs::strace_works() {
        return skipped::skip("no sweep without strace (scripts/setup installs it)");
    }
    programs::build().expect("the programs build");
    let full =
        ["apps-on-disk create hello", "apps-on-disk note hello first", "apps-on-disk fill-journal hello"];
    let verb = appending(&full);
    let sandbox = Sandbox::before(&verb).expect("a world");
    for fault in &[Fault::Kill, Fault::Error("ENOSPC"), Fault::Error("EIO")][..count(2, 3)] {
        let points = swept(&sandbox, &verb, *fault);
        note(&format!("full journal, {fault:?}: {points} points"));
        assert!(points > 15, "{points} points: a blind sweep");
        sandbox.restore().expect("the world before");
    }
}
