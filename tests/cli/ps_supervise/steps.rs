//! A supervisor is killed at each of its steps between the end of a run and the life of the next one. Its successor finds that one
//! run and no other beside it. How the earlier one ended is known, or unknown, and never another end.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use formation::Exit;
use ps_supervisor::Status;
use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually};

/// It ends again and again in one way. Told to end, it says so, and ends in another way.
const MAYFLY: &str = "faultapp --exit-after 400 --exit-code 7";
/// There is time to have a supervisor traced before it starts the next run.
const SETTINGS: &str = r#"{"restart-delay":"200ms","restart-delay-max":"200ms"}"#;
/// With these a supervisor clears away a run, and starts and writes down the next one.
const STEPS: [&str; 15] = [
    "openat",
    "mkdir",
    "write",
    "pwrite64",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "clone",
    "clone3",
    "vfork",
    "chdir",
    "fchdir",
    "prlimit64",
];

fn mayfly() -> Service {
    let service = Service::new(&[("web", MAYFLY, 1)]);
    service.with(|spec| {
        spec.restart_policy = "always".parse().expect("a policy");
        spec.processes[0].settings = serde_json::from_str(SETTINGS).expect("settings");
    })
}

/// strace of the supervisor that lives, from now on.
fn trace(service: &Service, options: &[String]) -> Child {
    let supervisor = service.supervisor_pid().to_string();
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-p", &supervisor]).args(options).arg("-o").arg(service.path().join("strace"));
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = strace.spawn().expect("strace starts");
    eventually("strace is attached, or has done what it is for", || {
        let status = fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        let is_traced = tracer.is_some_and(|tracer| tracer.trim() != "0");
        (is_traced || child.try_wait().expect("it is ours").is_some()).then_some(())
    });
    child
}

fn run(service: &Service) -> u64 {
    service.status("web.1").map_or(0, |status| status.run)
}

/// How often a supervisor makes each of these calls from one life to the next.
fn calls(service: &Service) -> BTreeMap<String, usize> {
    let mut strace = trace(service, &[format!("-etrace={}", STEPS.join(","))]);
    let before = run(service);
    eventually("another life", || (run(service) > before).then_some(()));
    kill_process(Pid::from_child(&strace), Signal::TERM).expect("it is ours");
    strace.wait().expect("it is ours");
    let log = fs::read_to_string(service.path().join("strace")).expect("a log");
    let mut calls = BTreeMap::new();
    for (name, _) in log.lines().filter_map(|line| line.split_once('(')) {
        *calls.entry(name.to_owned()).or_default() += 1;
    }
    calls
}

/// The process ends while no supervisor is there: what is left of its run, nobody has cleared away.
fn end_without_a_witness(service: &mut Service) {
    eventually("it runs", || (service.processes().len() == 1).then_some(()));
    service.kill_supervisor();
    eventually("it ends", || service.processes().is_empty().then_some(()));
    service.start_as_it_is();
}

/// Has the supervisor killed at a call, if it comes to that within a life; its successor is looked at for another one.
fn kill_at(service: &mut Service, name: &str, k: usize) {
    end_without_a_witness(service);
    let inject = format!("-einject={name}:signal=KILL:when={k}");
    let mut strace = trace(service, &[format!("-etrace={name}"), inject]);
    let before = run(service);
    eventually("it is killed, or two lives are over", || {
        let is_over = strace.try_wait().expect("it is ours").is_some() || run(service) > before + 1;
        is_over.then_some(())
    });
    let _ = strace.kill();
    strace.wait().expect("it is ours");
    service.kill_supervisor();
    service.start_as_it_is();
    let (begin, after) = (Instant::now(), run(service));
    while run(service) <= after && begin.elapsed() < Duration::from_secs(10) {
        look(service, name, k);
    }
    look(service, name, k);
}

fn look(service: &Service, name: &str, k: usize) {
    let all = service.processes();
    assert!(all.len() <= 1, "killed at {name} {k}: {all:?} live");
    let log = String::from_utf8_lossy(&service.log("web.1")).into_owned();
    assert!(!log.contains("TERM"), "killed at {name} {k}: a run that nobody stopped was told to end: {log}");
    let slot = service.path().join("web.1");
    let runs = fs::read_dir(slot.join("runs")).into_iter().flatten().flatten();
    for run in runs {
        let written = fs::read(run.path().join("run.json")).unwrap_or_default();
        let known = serde_json::from_slice::<Status>(&written).ok().and_then(|status| status.last_exit);
        assert!(matches!(known, None | Some(Exit::Code(7))), "killed at {name} {k}: {run:?} {known:?}");
    }
    let known = service.status("web.1").and_then(|status| status.last_exit);
    assert!(matches!(known, None | Some(Exit::Code(7))), "killed at {name} {k}: {known:?}");
}

#[test]
fn a_supervisor_that_is_killed_between_two_runs_leaves_one_and_no_end_that_never_was() {
    let strace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !strace.is_ok_and(|status| status.success()) {
        return skipped::skip("no sweep without strace (scripts/setup installs it)");
    }
    let mut service = mayfly();
    service.start();
    let calls = calls(&service);
    let points: Vec<(&String, usize)> =
        calls.iter().flat_map(|(name, times)| (1..=*times).map(move |k| (name, k))).collect();
    let is_long = std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1");
    let every = if is_long { 1 } else { (points.len() / 3).max(1) };
    for (name, k) in points.iter().step_by(every) {
        kill_at(&mut service, name, *k);
    }
    // The moment in which it once took what it had just started for a second run: that was not written down yet.
    kill_at(&mut service, "fchdir", 1);
}
