//! What ends by itself is started again, or not, as its policy says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use formation::{Exit, State};
use ps_supervisor::{ProcessSpec, Request, Spec};
use rustix::process::{Pid, Signal, kill_process};
use type_settings::Setting;

use crate::service::{Service, eventually, pid};

/// Sets something for every type.
fn set(spec: &mut Spec, name: &str, text: &str) {
    let setting = Setting::named(name).expect("a setting");
    assert!(
        spec.processes.iter_mut().all(|process| setting.take(text, &mut process.settings)),
        "{name} {text}"
    );
}

const WELL_UNDER_A_SECOND: Duration = Duration::from_millis(800);

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::KILL).expect("it is ours");
}

#[test]
fn a_killed_process_is_back_in_well_under_a_second() {
    // On a busy machine it may be late by chance, and a version that waits is late each time.
    let tries: Vec<Duration> =
        (0..5).map(|_| kill_one()).take_while(|took| *took >= WELL_UNDER_A_SECOND).collect();
    assert!(tries.len() < 5, "{tries:?}");
}

/// How long it takes until a process that was killed has a successor.
fn kill_one() -> Duration {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let before = service.await_status("web.1", "runs", |status| status.state == State::Running);
    let begin = Instant::now();
    let old = Pid::from_raw(i32::try_from(pid(&before)).expect("a pid")).expect("a pid");
    kill_process(old, Signal::KILL).expect("it is ours");
    let after = service.await_status("web.1", "is back", |status| {
        status.state == State::Running && status.process != before.process
    });
    let took = begin.elapsed();
    assert_eq!((after.restarts, after.last_exit), (1, Some(Exit::Signal(9))));
    took
}

#[test]
fn an_instance_that_was_stable_is_started_again_at_once_and_one_that_dies_soon_waits() {
    let mut service = Service::new(&[("web", "test -e fails && exit 1; exec sleep 1000", 1)]);
    service = service.with(|spec| {
        set(spec, "stable-after", "50ms");
        set(spec, "restart-delay", "1h");
        set(spec, "restart-delay-max", "1h");
    });
    service.start();
    let mut before = service.await_status("web.1", "runs", |status| status.state == State::Running);
    for restarts in 1..=3 {
        let process = before.process.clone().expect("it runs");
        eventually("it is stable", || (process.age() > Duration::from_millis(60)).then_some(()));
        kill(process.pid);
        before = service.await_status("web.1", "is back", |status| {
            status.restarts == restarts && status.process.is_some()
        });
    }
    let process = before.process.expect("it runs");
    let name = format!("/proc/{}/comm", process.pid);
    eventually("it has looked", || (std::fs::read_to_string(&name).ok()? == "sleep\n").then_some(()));
    std::fs::write(service.path().join("fails"), "").expect("written");
    eventually("it is stable", || (process.age() > Duration::from_millis(60)).then_some(()));
    kill(process.pid);
    let waits = service.await_status("web.1", "waits", |status| status.state == State::Backoff);
    assert_eq!(waits.restarts, 4);
}

#[test]
fn another_supervisor_goes_on_counting_and_waiting() {
    let mut service = Service::new(&[("web", "exit 1", 1)]).with(|spec| {
        spec.restart_policy = "on-failure:3".parse().expect("a policy");
        set(spec, "restart-delay", "1h");
        set(spec, "restart-delay-max", "1h");
    });
    service.start();
    let waits = service.await_status("web.1", "waits", |status| status.state == State::Backoff);
    service.kill_supervisor();
    service.start();
    assert_eq!(service.ask(&Request::Apply), None);
    let still = service.status("web.1").expect("a status");
    assert_eq!((still.state, still.run, still.restarts), (State::Backoff, waits.run, waits.restarts));
    assert_eq!(still.deaths, waits.deaths);
}

#[test]
fn more_starts_than_the_limit_are_given_up_and_a_person_may_start_it_all_the_same() {
    let mut service = Service::new(&[("web", "exit 0", 1)]).with(|spec| {
        spec.restart_policy = "always".parse().expect("a policy");
        set(spec, "restart-delay", "1ms");
        set(spec, "start-limit", "3/1m");
    });
    service.start();
    let status = service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
    assert_eq!(status.restarts, 3);
    assert_eq!(status.reason.as_deref(), Some("it was started again too often: start-limit 3/1m"));
    let slots = vec!["web.1".parse().expect("a slot")];
    assert_eq!(service.ask(&Request::Start { slots }), None);
    service.await_status("web.1", "has had its tries anew", |again| {
        again.state == State::Crashed && again.run == status.run + 4
    });
}

#[test]
fn an_end_that_the_app_calls_a_success_is_rest() {
    let mut service = Service::new(&[("web", "kill -TERM $$", 1)])
        .with(|spec| set(spec, "success-exit-codes", "3,SIGTERM"));
    service.start();
    let status =
        service.await_status("web.1", "rests", |s| s.state == State::Stopped && s.last_exit.is_some());
    assert_eq!((status.restarts, status.last_exit), (0, Some(Exit::Signal(15))));
}

#[test]
fn what_a_crash_leaves_behind_is_gone_before_the_next_start() {
    let command = "faultapp --fork-tree 2 2 --setsid --exit-after 300 --exit-code 1";
    let mut service = Service::new(&[("web", command, 1)]).with(|spec| {
        spec.restart_policy = "on-failure:1".parse().expect("a policy");
    });
    service.start();
    service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
    assert_eq!(service.processes(), Vec::<u32>::new());
}

#[test]
fn a_policy_with_retries_gives_up_visibly() {
    let mut service = Service::new(&[("web", "exit 7", 1)]).with(|spec| {
        spec.restart_policy = "on-failure:3".parse().expect("a policy");
    });
    service.start();
    let status = service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
    assert_eq!((status.restarts, status.last_exit), (3, Some(Exit::Code(7))));
}

#[test]
fn success_under_on_failure_is_rest_and_failure_under_no_is_crashed() {
    let mut service = Service::new(&[("good", "exit 0", 1)]);
    service.start();
    let status =
        service.await_status("good.1", "rests", |s| s.state == State::Stopped && s.last_exit.is_some());
    assert_eq!(status.restarts, 0);
    let mut service = Service::new(&[("bad", "exit 1", 1)]).with(|spec| {
        spec.restart_policy = "no".parse().expect("a policy");
    });
    service.start();
    let status = service.await_status("bad.1", "is left", |status| status.state == State::Crashed);
    assert_eq!(status.restarts, 0);
}

#[test]
fn a_command_that_cannot_start_says_why() {
    let mut service = Service::new(&[("web", "sleep 1", 1)]).with(|spec| {
        spec.directory = "/nonexistent/directory".into();
        spec.restart_policy = "no".parse().expect("a policy");
    });
    service.start();
    let status = service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
    assert!(
        status.reason.as_deref().is_some_and(|reason| reason.contains("/nonexistent/directory")),
        "{status:?}"
    );
}

/// Every exit status there is, each of a process type of its own.
#[test]
fn all_256_exit_statuses_are_told_as_they_were() {
    let name = |code: u32| format!("t{code}");
    let mut service = Service::new(&[]).with(|spec| {
        spec.restart_policy = "no".parse().expect("a policy");
        spec.places = (0..256).map(|code| (name(code), 0)).collect::<BTreeMap<_, _>>();
        spec.processes = (0..256)
            .map(|code| ProcessSpec {
                process_type: name(code),
                command: format!("exit {code}"),
                quantity: 1,
                ..ProcessSpec::default()
            })
            .collect();
    });
    service.start();
    for code in 0..256 {
        let slot = format!("{}.1", name(code));
        let status = service.await_status(&slot, "ended", |status| {
            status.last_exit.is_some() && matches!(status.state, State::Stopped | State::Crashed)
        });
        assert_eq!(status.last_exit, i32::try_from(code).ok().map(Exit::Code), "{slot}");
    }
}

#[test]
fn an_environment_file_that_is_wrong_fails_the_start_and_names_the_line() {
    let mut service = Service::new(&[("web", "sleep 1000", 1)]);
    let file = service.path().join("app.env");
    std::fs::write(&file, "GOOD=1\nbad line\n").expect("written");
    service = service.with(|spec| {
        spec.env_files = vec![file];
        spec.restart_policy = "no".parse().expect("a policy");
    });
    service.start();
    let status = service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
    let reason = status.reason.unwrap_or_default();
    assert!(reason.contains("app.env") && reason.contains("line 2"), "{reason}");
}

#[test]
fn the_environment_is_the_specs_then_the_files_then_ours() {
    let mut service = Service::new(&[("web", "env; sleep 1000", 2)]);
    let file = service.path().join("app.env");
    std::fs::write(&file, "A=file\nPORT=1\n").expect("written");
    service = service.with(|spec| {
        spec.env.insert("A".into(), "spec".into());
        spec.env_files = vec![file];
    });
    service.start();
    let text = eventually("both have printed it", || {
        let text = String::from_utf8(service.log("web.2")).ok()?;
        (text.contains("DYNO=") && text.contains("PS=")).then_some(text)
    });
    let port = service.await_status("web.2", "runs", |_| true).port.expect("a port");
    for line in ["A=file", "DYNO=web.2", "PS=web.2", &format!("PORT={port}")] {
        assert!(text.lines().any(|l| l == line), "no {line} in:\n{text}");
    }
    assert!(!text.contains("FORMATION_LOCK"), "{text}");
}
