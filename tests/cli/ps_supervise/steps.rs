//! A supervisor is killed at each of its steps between the end of a run and the life of the next one. Its successor finds that one
//! run and no other beside it. How the earlier one ended is known, or unknown, and never another end.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use formation::{Exit, State};
use jiff::{SignedDuration, Timestamp};
use ps_supervisor::{Client, Status};
use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually, eventually_seen};

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
    let seen = || format!("{:?}, {:?}", service.processes(), service.status("web.1"));
    eventually_seen("it runs", || (service.processes().len() == 1).then_some(()), seen);
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
    while run(service) <= after && begin.elapsed() < Duration::from_secs(60) {
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

pub(crate) fn has_strace() -> bool {
    let strace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let works = strace.is_ok_and(|status| status.success());
    if !works {
        skipped::skip("no sweep without strace (scripts/setup installs it)");
    }
    works
}

fn is_long() -> bool {
    std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1")
}

#[test]
fn a_supervisor_that_is_killed_between_two_runs_leaves_one_and_no_end_that_never_was() {
    if !has_strace() {
        return;
    }
    let mut service = mayfly();
    service.start();
    let calls = calls(&service);
    let points: Vec<(&String, usize)> =
        calls.iter().flat_map(|(name, times)| (1..=*times).map(move |k| (name, k))).collect();
    let every = if is_long() { 1 } else { (points.len() / 3).max(1) };
    for (name, k) in points.iter().step_by(every) {
        kill_at(&mut service, name, *k);
    }
    // The moment in which it once took what it had just started for a second run: that was not written down yet.
    kill_at(&mut service, "fchdir", 1);
}

/// It is over at once: nothing but what it wrote says that it ran. What lies in a pipe when nobody has that open any more is gone, so it
/// writes into a file.
const JOB: &str = "echo ran >>ran";
/// A schedule that no test lives to see.
const NEVER_HERE: &str = "0 0 29 2 *";
/// In a plain run the supervisor is killed at so many steps before the fork, and behind it.
const AROUND_THE_FORK: usize = 5;

/// A job that is started with its supervisor, because it is wanted.
fn wanted_job() -> Service {
    let service = Service::new(&[("job", JOB, 1)]).with(|spec| {
        spec.restart_policy = "no".parse().expect("a policy");
    });
    let spec = serde_json::to_vec(&service.spec()).expect("plain data");
    fs::write(service.path().join(ps_supervisor::SPEC_FILE), spec).expect("written");
    service
}

/// A job by schedule that became due a moment ago, while no supervisor lived.
fn due_job() -> Service {
    let mut service = Service::new(&[("job", JOB, 1)]).with(|spec| {
        let settings = format!("{{\"schedule\":\"{NEVER_HERE}\",\"schedule-zone\":\"UTC\"}}");
        spec.processes[0].settings = serde_json::from_str(&settings).expect("settings");
    });
    service.start();
    service.await_status("job.1", "waits for its time", |status| status.state == State::Scheduled);
    service.kill_supervisor();
    let path = service.path().join("job.1/status.json");
    let mut status: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("a status")).expect("JSON");
    let now = Timestamp::now() - SignedDuration::from_secs(5);
    status["schedule"]["next"] = now.to_string().into();
    fs::write(&path, status.to_string()).expect("written");
    fs::remove_file(service.path().join("state")).expect("it was there");
    service
}

/// Has a supervisor run under strace with these options until it is killed, or the job is over.
fn run_traced(service: &Service, options: &[String]) {
    let supervisor = service.command();
    let mut strace = Command::new("strace");
    strace.arg("-qq").args(options).arg("-o").arg(service.path().join("strace"));
    strace.arg(supervisor.get_program()).args(supervisor.get_args());
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = strace.spawn().expect("strace starts");
    eventually("it is killed, or the job is over", || {
        let is_over = child.try_wait().expect("it is ours").is_some();
        (is_over || (runs(service) > 0 && is_at_rest(service))).then_some(())
    });
    let supervisor = Client::connect(service.path()).ok().and_then(|client| client.supervisor());
    if let Some(pid) = supervisor.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = child.wait();
}

/// How often the job ran.
fn runs(service: &Service) -> usize {
    fs::read_to_string(service.path().join("ran")).unwrap_or_default().lines().count()
}

fn is_at_rest(service: &Service) -> bool {
    service.status("job.1").is_some_and(|status| {
        status.process.is_none() && matches!(status.state, State::Stopped | State::Scheduled)
    })
}

/// Kills the supervisor of such a job at each of its steps around the start; what its successor makes of it.
fn runs_once_at_most(job: impl Fn() -> Service) {
    if !has_strace() {
        return;
    }
    let service = job();
    run_traced(&service, &[format!("-etrace={}", STEPS.join(","))]);
    assert_eq!(runs(&service), 1, "nobody was killed too early");
    let log = fs::read_to_string(service.path().join("strace")).expect("a log");
    let (mut calls, mut points) = (BTreeMap::new(), Vec::new());
    for (name, _) in log.lines().filter_map(|line| line.split_once('(')) {
        let times: &mut usize = calls.entry(name.to_owned()).or_default();
        *times += 1;
        points.push((name.to_owned(), *times));
    }
    let is_fork = |(name, _): &(String, usize)| matches!(name.as_str(), "clone" | "clone3" | "vfork");
    let fork = points.iter().position(is_fork).expect("it forks");
    let near = fork.saturating_sub(AROUND_THE_FORK)..fork + AROUND_THE_FORK;
    let points = points.into_iter().enumerate().filter(|(index, _)| is_long() || near.contains(index));
    let (mut ran, mut left_out) = (0, 0);
    for (_, (name, k)) in points {
        let mut service = job();
        run_traced(&service, &[format!("-etrace={name}"), format!("-einject={name}:signal=KILL:when={k}")]);
        service.start_as_it_is();
        let over = eventually("it is known what became of the job", || {
            let status = service.status("job.1").filter(|_| is_at_rest(&service))?;
            let is_told = status.note.as_ref().is_some_and(|note| note.contains("is not known"));
            (is_told || runs(&service) > 0).then_some(is_told)
        });
        let times = runs(&service);
        assert!(times <= 1, "killed at {name} {k}: it ran {times} times");
        assert!(over || times == 1, "killed at {name} {k}: it did not run, and nothing is said of that");
        (ran, left_out) = (ran + times, left_out + usize::from(times == 0));
        service.signal(Signal::TERM);
        service.await_end();
    }
    assert!(ran > 0, "{ran} ran, {left_out} were left out");
}

#[test]
fn a_job_whose_supervisor_is_killed_as_it_starts_it_runs_once_at_most() {
    runs_once_at_most(wanted_job);
}

#[test]
fn a_run_by_schedule_whose_supervisor_is_killed_as_it_starts_it_runs_once_at_most() {
    runs_once_at_most(due_job);
}
