//! Old or new, never torn, never silent: every verb of the table, every file syscall.

use faults::coverage::Coverage;
use faults::sweep::{Kind, Report, sweep};
use faults::verb::{self, Verb};
use faults::{count, note, programs};

fn swept(verbs: &[Verb], kind: Kind) -> Option<Report> {
    if !programs::strace_works() {
        skipped::skip("no sweep without strace (scripts/setup installs it)");
        return None;
    }
    programs::build().expect("the programs build");
    Some(sweep(verbs, kind).expect("the sweep itself works"))
}

fn must_be_clean(name: &str, kind: Kind, rounds: usize) {
    let verbs = verb::all().expect("a table");
    let (mut coverage, mut violations) = (Coverage::default(), Vec::new());
    for _ in 0..rounds {
        let Some(report) = swept(&verbs, kind) else { return };
        coverage.absorb(report.coverage);
        violations.extend(report.violations);
    }
    note(&format!("{coverage}\n{name}: {} points, {} violations", coverage.points(), violations.len()));
    assert_nothing_was_missed(&verbs, &coverage);
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

fn assert_nothing_was_missed(verbs: &[Verb], coverage: &Coverage) {
    for verb in verbs {
        assert!(coverage.of(&verb.name) >= 10, "{}: only {} points", verb.name, coverage.of(&verb.name));
    }
}

fn must_be_caught(kind: Kind) {
    for control in verb::controls().expect("a table") {
        let Some(report) = swept(std::slice::from_ref(&control), kind) else { return };
        let points = report.coverage.points();
        note(&format!("{} (control): {points} points, {} violations", control.name, report.violations.len()));
        let is_torn = |line: &String| line.contains("reads as") && !line.contains("the next run");
        assert!(report.violations.iter().any(is_torn), "{} passed: the sweep is blind", control.name);
    }
}

#[test]
fn every_kill_leaves_the_old_or_the_new() {
    must_be_clean("kill sweep", Kind::Kill, count(1, 9));
}

#[test]
fn every_error_is_said_and_leaves_the_old() {
    must_be_clean("error sweep", Kind::Error, 1);
}

#[test]
fn a_writer_in_place_is_caught_by_kills() {
    must_be_caught(Kind::Kill);
}

#[test]
fn a_writer_in_place_is_caught_by_errors() {
    must_be_caught(Kind::Error);
}
