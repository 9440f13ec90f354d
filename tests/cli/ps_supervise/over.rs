//! What is wanted never wakes what is over: what finished, what was given up, what somebody stopped.

use std::fs;

use formation::{Exit, Slot, State};
use ps_supervisor::{Request, Status};
use rustix::process::Signal;

use crate::service::{Service, eventually, pid};

fn slot(name: &str) -> Slot {
    name.parse().expect("a slot")
}

/// A web process that runs, a job that writes a line and ends, a process that fails for good.
fn service() -> Service {
    let mut service = Service::new(&[
        ("web", "exec sleep 1000", 2),
        ("job", "echo ran >>runs", 1),
        ("bad", "echo failed >>failures; exit 3", 1),
    ])
    .with(|spec| spec.restart_policy = "on-failure:1".parse().expect("a policy"));
    service.start();
    is_over(&service);
    service
}

fn is_over(service: &Service) -> (Status, Status) {
    let job =
        service.await_status("job.1", "is done", |status| status.done && status.state == State::Stopped);
    let bad = service.await_status("bad.1", "is given up", |status| status.state == State::Crashed);
    (job, bad)
}

fn lines(service: &Service, file: &str) -> usize {
    fs::read_to_string(service.path().join(file)).unwrap_or_default().lines().count()
}

fn counts(service: &Service) -> (usize, usize) {
    (lines(service, "runs"), lines(service, "failures"))
}

#[test]
fn a_stop_a_scale_and_an_apply_wake_nothing_that_is_over() {
    let mut service = service();
    assert_eq!(counts(&service), (1, 2));
    let web = pid(&service.await_status("web.1", "runs", |status| status.state == State::Running));
    assert_eq!(service.ask(&Request::Stop { slots: vec![slot("web.2")], grace_seconds: None }), None);
    service.await_status("web.2", "is stopped", |status| status.state == State::Stopped && !status.done);
    service.rewrite(|spec| {
        spec.processes[0].quantity = 3;
        spec.stopped = vec![slot("web.2")];
    });
    assert_eq!(service.ask(&Request::Apply), None);
    service.await_status("web.3", "runs", |status| status.state == State::Running);
    assert_eq!(service.ask(&Request::Apply), None);
    is_over(&service);
    assert_eq!(counts(&service), (1, 2));
    assert_eq!(service.status("web.2").map(|status| status.state), Some(State::Stopped));
    assert_eq!(service.status("web.1").map(|status| pid(&status)), Some(web));
}

#[test]
fn a_new_supervisor_wakes_nothing_that_is_over() {
    let mut service = service();
    assert_eq!(service.ask(&Request::Stop { slots: vec![slot("web.2")], grace_seconds: None }), None);
    service.await_status("web.2", "is stopped", |status| status.state == State::Stopped);
    for _ in 0..2 {
        service.kill_supervisor();
        service.start_as_it_is();
        service.await_status("web.1", "runs", |status| status.state == State::Running);
        let (job, bad) = is_over(&service);
        assert_eq!((job.last_exit, bad.last_exit), (Some(Exit::Code(0)), Some(Exit::Code(3))));
    }
    // Also one that was ended in good order.
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    service.start_as_it_is();
    service.await_status("web.1", "runs", |status| status.state == State::Running);
    is_over(&service);
    assert_eq!(counts(&service), (1, 2));
    assert_eq!(service.status("web.2").map(|status| status.state), Some(State::Stopped));
}

#[test]
fn whoever_asks_for_it_starts_it_again_and_so_does_a_new_revision() {
    let mut service = service();
    assert_eq!(service.ask(&Request::Start { slots: vec![slot("job.1"), slot("web.1")] }), None);
    eventually("the job ran again", || (lines(&service, "runs") == 2).then_some(()));
    is_over(&service);
    assert_eq!(service.ask(&Request::Restart { slots: vec![slot("job.1")] }), None);
    eventually("the job ran again", || (lines(&service, "runs") == 3).then_some(()));
    assert_eq!(service.ask(&Request::Start { slots: vec![slot("bad.1")] }), None);
    eventually("it failed again", || (lines(&service, "failures") == 4).then_some(()));
    is_over(&service);
    service.rewrite(|spec| spec.revision = 2);
    assert_eq!(service.ask(&Request::Apply), None);
    eventually("both ran in the new revision", || (counts(&service) == (4, 6)).then_some(()));
}

#[test]
fn a_job_that_ends_while_nobody_looks_is_not_run_again_and_its_end_is_unknown() {
    for policy in ["no", "on-failure:10"] {
        let command = "echo ran >>runs; while [ -e wait ]; do sleep 0.02; done";
        let mut service = Service::new(&[("job", command, 1), ("web", "exec sleep 1000", 1)])
            .with(|spec| spec.restart_policy = policy.parse().expect("a policy"));
        let wait = |service: &Service| fs::write(service.path().join("wait"), "").expect("written");
        let expected = if policy == "no" { 1 } else { 2 };
        if policy == "no" {
            wait(&service);
            service.start();
        } else {
            // It shows that it is a job: in this revision it ends with success.
            service.start();
            service.await_status("job.1", "is done", |status| status.done);
            wait(&service);
            service.ask(&Request::Start { slots: vec![slot("job.1")] });
        }
        service.await_status("job.1", "runs", |status| status.state == State::Running && status.job);
        eventually("the job runs", || (lines(&service, "runs") == expected).then_some(()));
        service.kill_supervisor();
        fs::remove_file(service.path().join("wait")).expect("it was there");
        eventually("the job has ended", || {
            service.status("job.1").and_then(|s| s.process).is_some_and(|p| !p.is_alive()).then_some(())
        });
        service.start_as_it_is();
        let job = service.await_status("job.1", "is done", |status| status.done);
        assert_eq!((job.state, job.last_exit, job.process), (State::Stopped, None, None), "{policy}");
        service.await_status("web.1", "runs", |status| status.state == State::Running);
        assert_eq!(lines(&service, "runs"), expected, "{policy}");
    }
}

#[test]
fn a_service_that_ended_while_nobody_looked_runs_again() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let before = pid(&service.await_status("web.1", "runs", |status| status.state == State::Running));
    service.kill_supervisor();
    let process = rustix::process::Pid::from_raw(i32::try_from(before).expect("a pid")).expect("a pid");
    rustix::process::kill_process(process, Signal::KILL).expect("it is ours");
    service.start_as_it_is();
    let after = service.await_status("web.1", "runs anew", |status| {
        status.state == State::Running && status.process.as_ref().is_some_and(|process| process.pid != before)
    });
    assert_eq!(after.last_exit, None);
}
