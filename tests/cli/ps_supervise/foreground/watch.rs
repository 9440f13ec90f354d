//! `--watch`: what runs is started anew when files change, and it is said which. And what has a schedule in app.json runs by it.

use std::fs;

use rustix::process::Signal;

use super::{Source, eventually};

const SCRIPT: &str = "web: exec sh ./run\nworker: echo works; exec sleep 600\n";

#[test]
fn a_change_starts_everything_anew_and_the_file_is_named() {
    let source = Source::new(SCRIPT).file("run", "echo one; exec sleep 600\n");
    let running = source.start(&["--watch"]);
    running.await_out("one");
    running.await_out("works");
    fs::write(source.path().join("run"), "echo two; exec sleep 600\n").expect("written");
    running.await_out("two");
    running.await_err("started anew: run changed");
    eventually("the other one is started anew as well", || {
        (running.out.text().matches("works").count() == 2).then_some(())
    });
    running.signal(Signal::INT);
    assert_eq!(running.end().code(), 0);
}

#[test]
fn what_is_ignored_and_what_lies_elsewhere_starts_nothing_anew() {
    let source = Source::new(SCRIPT).file("run", "echo one; exec sleep 600\n");
    for directory in ["src", ".git", "log"] {
        fs::create_dir(source.path().join(directory)).expect("made");
    }
    let running = source.start(&["--watch=src,run", "--watch-ignore", "*.tmp", "web"]);
    running.await_out("one");
    let write = |name: &str| fs::write(source.path().join(name), "1").expect("written");
    for name in ["src/a.tmp", "src/a.log", ".git/index", "log/web", "elsewhere.js", "src/b.tmp"] {
        write(name);
    }
    // Nothing of that comes before a change that is answered.
    fs::write(source.path().join("run"), "echo two; exec sleep 600\n").expect("written");
    running.await_err("started anew: run changed");
    running.await_out("two");
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.err.matches("started anew").count(), 1, "{}", ended.err);
}

#[test]
fn paths_and_patterns_that_make_no_sense_are_refused() {
    let source = Source::new(SCRIPT);
    for args in [
        &["--watch=../x"][..],
        &["--watch=/etc"],
        &["--watch", "--watch-ignore", ","],
        &["--watch-ignore", "x"],
    ] {
        assert_eq!(source.run(args).code(), 2, "{args:?}");
    }
}

#[test]
fn what_has_a_schedule_is_not_run_before_it_is_due_and_that_is_said() {
    let source = Source::new("web: echo serves; exec sleep 600\nreport: echo reports\n").file(
        "app.json",
        r#"{"formation": {"web": {"quantity": 1}, "report": {"quantity": 1, "schedule": "0 0 29 2 *", "schedule_zone": "UTC"}}}"#,
    );
    let running = source.start(&[]);
    running.await_out("serves");
    running.await_err("is due at ");
    running.signal(Signal::INT);
    let ended = running.end();
    assert!(!ended.text().contains("reports") && ended.code() == 0, "{} {}", ended.text(), ended.err);
    let wrong = Source::new("report: true\n")
        .file("app.json", r#"{"formation": {"report": {"quantity": 1, "schedule": "99 * * * *"}}}"#)
        .run(&[]);
    assert!(wrong.err.contains("formation.report.schedule: minute \"99\""), "{}", wrong.err);
    assert_eq!((wrong.code(), wrong.err.lines().count()), (1, 1));
}
