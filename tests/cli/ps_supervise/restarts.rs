//! What ends by itself is started again, or not, as its policy says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use formation::{Exit, State};
use ps_supervisor::ProcessSpec;
use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually, pid};

#[test]
fn a_killed_process_is_back_in_well_under_a_second() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let before = service.await_status("web.1", "runs", |status| status.state == State::Running);
    let begin = Instant::now();
    let old = Pid::from_raw(i32::try_from(pid(&before)).expect("a pid")).expect("a pid");
    kill_process(old, Signal::KILL).expect("it is ours");
    let after = service.await_status("web.1", "is back", |status| {
        status.state == State::Running && status.process != before.process
    });
    assert!(begin.elapsed() < Duration::from_millis(800), "took {:?}", begin.elapsed());
    assert_eq!((after.restarts, after.last_exit), (1, Some(Exit::Signal(9))));
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
