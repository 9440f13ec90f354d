//! Rollouts: until every new run has passed its gate, the very processes run on that ran before.

#[path = "rollout/deaths.rs"]
mod deaths;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal};

use crate::home::{Home, eventually, listening, table};
use crate::program::Running;

const WEB: &str = "web: exec faultapp --say first --tick 60\n";
/// A release that can be told from the first by what it runs.
const NEXT: &str = "web: exec faultapp --say second --tick 60\n";

/// A source whose runs are ready when they are told to ([`go_on`]), and not before: what a rollout does until then lasts until a test has
/// seen it, however busy the machine is.
fn held(home: &Home, name: &str, procfile: &str) -> String {
    let startup = r#"[{"type": "startup", "command": ["test", "-e", "go"], "wait": 1, "attempts": 1000}]"#;
    home.write(&format!("{name}/app.json"), &format!(r#"{{"healthchecks": {{"web": {startup}}}}}"#));
    home.source(name, procfile)
}

fn go_on(source: &str) {
    fs::write(PathBuf::from(source).join("go"), "").expect("written");
}

fn hold(source: &str) {
    // It may not have been told to go on yet.
    let _ = fs::remove_file(PathBuf::from(source).join("go"));
}

fn service(home: &Home) -> PathBuf {
    home.path("lib/data/scheduler-native/shop")
}

/// How many processes run that say this.
fn running(home: &Home, says: &str) -> usize {
    home.processes().iter().filter(|(_, words)| words.starts_with(&format!("faultapp --say {says}"))).count()
}

fn supervisors(home: &Home) -> Vec<Pid> {
    let is_one = |words: &str| words.contains("ps-supervise ") && words.contains("scheduler-native/shop");
    home.processes().into_iter().filter(|(_, words)| is_one(words)).map(|(pid, _)| pid).collect()
}

fn signal_supervisor(home: &Home, signal: Signal) {
    for pid in supervisors(home) {
        rustix::process::kill_process(pid, signal).expect("it runs");
    }
}

fn kill(mut program: Running) {
    let pid = i32::try_from(program.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
    program.ended();
}

/// The number of what is committed.
fn revision(home: &Home) -> u64 {
    let spec = fs::read(service(home).join("spec2.json")).expect("a spec");
    let spec: serde_json::Value = serde_json::from_slice(&spec).expect("JSON");
    spec["revision"].as_u64().expect("a number")
}

/// What can be seen of a rollout on its way, in the order in which it comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    /// It was submitted.
    Submitted,
    /// The supervisor has taken it in.
    Taken,
    /// A new run lives beside the old one.
    Beside,
    /// The old run is gone.
    Moved,
    /// The new revision is recorded.
    Committed,
}

impl Fact {
    /// Whether it comes when the new run is ready.
    fn is_of_the_ready(self) -> bool {
        matches!(self, Self::Moved | Self::Committed)
    }

    /// Waits until it is so; `before` is the revision that there was.
    fn comes(self, home: &Home, before: u64) {
        let is_so = || match self {
            Self::Submitted => service(home).join("next.json").exists(),
            Self::Taken => service(home).join("rollout.json").exists(),
            Self::Beside => running(home, "first") == 1 && running(home, "second") == 1,
            Self::Moved => running(home, "first") == 0 && running(home, "second") == 1,
            Self::Committed => revision(home) > before,
        };
        eventually(&format!("{self:?}"), || {
            if is_so() { Ok(()) } else { Err(format!("{:?}", home.processes())) }
        });
    }
}

/// That the app is whole: one run of what says this, nothing beside it, nothing left of a rollout.
fn is_whole(home: &Home, says: &str) {
    eventually("one run of what is recorded, and no rollout", || {
        let left = ["next.json", "rollout.json"].map(|name| service(home).join(name).exists());
        let run = ["first", "second"].map(|says| running(home, says));
        let expected = ["first", "second"].map(|other| usize::from(other == says));
        let seen = (run, left, home.states("shop"), supervisors(home).len());
        if seen == (expected, [false; 2], table(&[("web.1", "running")]), 1) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    });
}

#[test]
fn a_trial_lives_beside_the_old_run_and_the_slot_keeps_its_port() {
    let _listening = listening();
    let home = Home::running("shop", "web: exec faultapp --say first --listen $PORT\n", &[]);
    let (pids, port) = (home.pids("shop"), home.status("shop")[0]["port"].clone());
    let source = held(&home, "shop", "web: exec faultapp --say second --listen $PORT\n");
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    Fact::Beside.comes(&home, 1);
    go_on(&source);
    let ran = deploy.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("web.1 is up\n"), "{ran:?}");
    is_whole(&home, "second");
    assert_ne!(home.pids("shop"), pids);
    assert_eq!(home.status("shop")[0]["port"], port);
    eventually("the second lane gives its port back", || {
        let ports = fs::read_to_string(service(&home).join("ports.json")).unwrap_or_default();
        let is_left = !ports.contains("second") && ports.contains(&port.to_string());
        if is_left { Ok(()) } else { Err(ports) }
    });
}

#[test]
fn where_one_of_several_fails_all_of_them_are_the_very_processes_that_ran() {
    let home = Home::running("shop", WEB, &["--scale", "web=4"]);
    let (pids, settings) = (home.pids("shop"), home.settings());
    let bad = "web: if [ $PS = web.3 ]; then echo no database; sleep 0.1; exit 7; fi; exec faultapp --say second --tick 60\n";
    let source = home.source("bad", bad);
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let says = "web.3 of shop ended within its first second (exit status 7); its last lines:\nno database\n";
    assert!(ran.stderr.ends_with(says), "{ran:?}");
    assert_eq!(home.pids("shop"), pids);
    crate::home::assert_same(&settings, &home.settings());
    home.does(&["ps-scale", "shop", "web=5"]);
    let after = home.pids("shop");
    assert_eq!(after.len(), 5);
    assert!(pids.iter().all(|(slot, pid)| after[slot] == *pid), "{pids:?} {after:?}");
    assert_eq!(running(&home, "first"), 5, "a scale after a failure is of what ran before");
}

#[test]
fn a_restart_that_fails_leaves_the_very_processes_and_so_does_one_that_is_refused() {
    let home = Home::new();
    let flag = home.write("flag", "");
    let web = format!("web: test -e {} || exit 5; exec faultapp --say first --tick 60\n", flag.display());
    let source = home.source("shop", &web);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2"]);
    let pids = home.pids("shop");
    fs::remove_file(&flag).expect("it is there");
    home.run(&["ps-lifecycle", "restart", "shop"]).is_refused(1, &["web.1", "exit status 5"]);
    assert_eq!(home.pids("shop"), pids);
    home.run(&["ps-lifecycle", "restart", "shop", "web.2"]).is_refused(1, &["web.2", "exit status 5"]);
    assert_eq!(home.pids("shop"), pids);
    home.write("flag", "");
    home.does(&["ps-lifecycle", "restart", "shop", "web.2"]);
    let after = home.pids("shop");
    assert!(after["web.1"] == pids["web.1"] && after["web.2"] != pids["web.2"], "{pids:?} {after:?}");
    fs::rename(&source, home.path("elsewhere")).expect("it is there");
    home.run(&["ps-lifecycle", "restart", "shop"]).is_refused(1, &["its directory"]);
    assert_eq!(home.pids("shop"), after);
    fs::rename(home.path("elsewhere"), &source).expect("it is there");
}

#[test]
fn a_deploy_that_is_cancelled_leaves_the_very_processes() {
    let home = Home::running("shop", WEB, &[]);
    let (pids, state) = (home.pids("shop"), home.settings());
    let source = held(&home, "next", NEXT);
    for fact in [Fact::Taken, Fact::Beside] {
        let mut deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        deploy.until_it_minds_signals();
        fact.comes(&home, 1);
        deploy.signal(Signal::INT);
        deploy.ended().is_refused(1, &["interrupted"]);
        is_whole(&home, "first");
        assert_eq!(home.pids("shop"), pids, "{fact:?}");
        crate::home::assert_same(&state, &home.settings());
    }
}

#[test]
fn a_stop_during_a_rollout_is_taken_and_nothing_of_it_comes_up_again() {
    let home = Home::running("shop", WEB, &["--scale", "web=2"]);
    let next = held(&home, "next", NEXT);
    let both = |home: &Home| {
        eventually("old and new", || {
            let seen = (running(home, "first"), running(home, "second"));
            if seen.0 == 2 && seen.1 > 0 { Ok(()) } else { Err(format!("{seen:?}")) }
        });
    };
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    both(&home);
    kill(deploy);
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    go_on(&next);
    assert_eq!(home.states("shop")["web.2"], "stopped");
    eventually("the rest has ended its rollout", || {
        let seen = (home.states("shop"), running(&home, "first") + running(&home, "second"));
        let is_over = !service(&home).join("next.json").exists();
        if is_over && seen == (table(&[("web.1", "running"), ("web.2", "stopped")]), 1) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    });
    // What was committed is what is recorded.
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!((running(&home, "first"), running(&home, "second")), (0, 2));
    let first = home.source("first", WEB);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &first]);
    hold(&next);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    both(&home);
    kill(deploy);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!((running(&home, "first"), running(&home, "second")), (0, 0));
    assert!(!service(&home).join("rollout.json").exists());
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!((running(&home, "first"), running(&home, "second")), (2, 0), "what is recorded");
}

#[test]
fn a_rollout_that_ends_with_a_stop_that_was_killed_as_well_does_not_keep_the_app_from_starting() {
    let home =
        Home::running("shop", "web: trap '' TERM; while :; do faultapp --say first --tick 1; done\n", &[]);
    home.does(&["ps-set", "shop", "stop-timeout-seconds", "2"]);
    let next = held(&home, "next", NEXT);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    eventually("old and new", || match running(&home, "second") {
        1 => Ok(()),
        seen => Err(format!("{seen}")),
    });
    kill(deploy);
    let stop = home.start(&["ps-lifecycle", "stop", "shop"]);
    eventually("it gave the rollout up", || {
        if service(&home).join("rollout.json").exists() { Err(String::new()) } else { Ok(()) }
    });
    kill(stop);
    home.does(&["ps-lifecycle", "start", "shop"]);
    // The old run is still ending, as it was told to; then the next one of what is recorded comes up.
    eventually("what is recorded runs", || {
        let seen = (running(&home, "second"), home.states("shop"));
        if seen == (0, table(&[("web.1", "running")])) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

#[test]
fn a_supervisor_that_does_not_answer_any_more_is_named_and_its_rollout_goes_on_when_it_does() {
    let home = Home::running("shop", WEB, &[]);
    let (next, before) = (held(&home, "next", NEXT), revision(&home));
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    Fact::Beside.comes(&home, before);
    signal_supervisor(&home, Signal::STOP);
    let ran = deploy.ended();
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("is stopped by a signal (SIGSTOP, SIGTSTP): kill -CONT"), "{ran:?}");
    assert_eq!(running(&home, "first"), 1, "nobody touches what ran");
    signal_supervisor(&home, Signal::CONT);
    go_on(&next);
    eventually("it ends its rollout", || match (running(&home, "first"), revision(&home) > before) {
        (0, true) => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    is_whole(&home, "second");
}

#[test]
fn a_supervisor_that_is_told_to_end_in_a_rollout_ends_all_and_no_other_takes_its_place() {
    let home = Home::running("shop", WEB, &[]);
    let (next, before) = (held(&home, "next", NEXT), revision(&home));
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    Fact::Beside.comes(&home, before);
    signal_supervisor(&home, Signal::TERM);
    let ran = deploy.ended();
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("ended in the middle of the rollout"), "{ran:?}");
    eventually("nothing runs", || {
        let seen = (supervisors(&home).len(), running(&home, "first"), running(&home, "second"));
        if seen == (0, 0, 0) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    home.does(&["ps-lifecycle", "restore", "shop"]);
    is_whole(&home, "first");
}

#[test]
fn a_slot_that_only_the_new_release_has_is_stopped_after_its_deploy_was_killed() {
    let home = Home::running("shop", WEB, &[]);
    let next = held(&home, "next", NEXT);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next, "--scale", "web=2"]);
    eventually("web.2 has come up", || match running(&home, "second") {
        2 => Ok(()),
        seen => Err(format!("{seen}")),
    });
    kill(deploy);
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    go_on(&next);
    eventually("the rollout is over, and web.2 has no part in it", || {
        let seen =
            (running(&home, "first"), running(&home, "second"), service(&home).join("next.json").exists());
        if seen == (0, 1, false) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    // What finishes the killed deploy is there by then, and has waited for this verb.
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(home.states("shop"), table(&[("web.1", "running"), ("web.2", "stopped")]));
    assert_eq!(running(&home, "second"), 1);
}

#[test]
fn a_slot_that_a_rollout_has_not_come_to_yet_is_stopped_before_anything_runs_there() {
    let home = Home::running("shop", WEB, &[]);
    let next = home.source("next", NEXT);
    let startup = r#"[{"type": "startup", "command": ["test", "-e", "go"], "wait": 1, "attempts": 100}]"#;
    let settings = r#"{"web": {"quantity": 2, "max_parallel": 1}}"#;
    let app_json = format!(r#"{{"formation": {settings}, "healthchecks": {{"web": {startup}}}}}"#);
    home.write("next/app.json", &app_json);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next, "--scale", "web=2"]);
    Fact::Beside.comes(&home, 1);
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    home.write("next/go", "");
    assert_eq!(deploy.ended().status, Some(0));
    assert_eq!((running(&home, "first"), running(&home, "second")), (0, 1));
    assert_ne!(home.states("shop").get("web.2").map(String::as_str), Some("running"));
}

/// A worker that writes down when it begins and ends, so that two at a time would be seen.
fn worker(home: &Home, release: &str, end: &str) -> String {
    let log = home.path("worker");
    format!(
        "worker: echo begin {release} >>{0}; trap 'echo end {release} >>{0}; exit 0' TERM; {end}\n",
        log.display()
    )
}

#[test]
fn stop_first_never_runs_two_and_after_a_failure_the_earlier_release_runs_again_and_the_outage_is_said() {
    let home = Home::new();
    let lasting = "while :; do sleep 0.05; done";
    let source = home.source("shop", &worker(&home, "first", lasting));
    home.write("shop/app.json", r#"{"formation": {"worker": {"quantity": 1, "strategy": "stop-first"}}}"#);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.source("shop", &worker(&home, "second", lasting));
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    // On a busy machine it may have lived for a second before it writes.
    let writes = |what: &str| {
        eventually("it writes", || match fs::read_to_string(home.path("worker")).expect("it ran") {
            log if log == what => Ok(()),
            log => Err(log),
        });
    };
    writes("begin first\nend first\nbegin second\n");
    let before = home.pids("shop");
    home.source("shop", &worker(&home, "third", "exit 9"));
    let ran = home.run(&["ps-lifecycle", "deploy", "shop"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("worker.1 of shop ended within its first second (exit status 9)"), "{ran:?}");
    assert!(ran.stderr.contains("worker.1 runs the earlier release again"), "{ran:?}");
    assert!(ran.stderr.contains("clients could not reach it for"), "{ran:?}");
    assert_eq!(home.states("shop"), table(&[("worker.1", "running")]));
    assert_ne!(home.pids("shop"), before);
    writes("begin first\nend first\nbegin second\nend second\nbegin third\nbegin second\n");
}

#[test]
fn overlap_has_both_until_the_new_ones_are_ready_and_one_afterwards() {
    let home = Home::running("shop", WEB, &[]);
    let next = held(&home, "next", NEXT);
    let checks = fs::read_to_string(home.path("next/app.json")).expect("it was written");
    let mut app_json: serde_json::Value = serde_json::from_str(&checks).expect("JSON");
    app_json["formation"] = serde_json::json!({"web": {"quantity": 1, "strategy": "overlap"}});
    home.write("next/app.json", &app_json.to_string());
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
    Fact::Beside.comes(&home, 1);
    go_on(&next);
    assert_eq!(deploy.ended().status, Some(0));
    is_whole(&home, "second");
    let states: BTreeMap<String, String> = home.states("shop");
    assert_eq!(states, table(&[("web.1", "running")]));
}
