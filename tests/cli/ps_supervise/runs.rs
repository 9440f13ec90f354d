//! Runs: each life has a number, a directory and a place in a log, and the files tell what is left when somebody dies.

use std::collections::BTreeSet;
use std::fs;

use formation::{Exit, State, Stream};
use ps_supervisor::Status;
use rustix::process::{Pid, Signal};

use crate::service::{Service, eventually, pid};

fn names(directory: &std::path::Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn kill(pid: u32) {
    let process = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(process, Signal::KILL).expect("it is ours");
}

/// What runs in `web.1`, once it does and its status can be read.
fn runs(service: &Service) -> Status {
    let is_running = |status: &Status| status.state == State::Running;
    let status = || Status::read(&service.path().join("web.1")).ok().flatten();
    eventually("web.1 runs", || status().filter(is_running))
}

#[test]
fn one_run_after_the_other_has_another_number_and_takes_no_more_room() {
    let mut service = Service::new(&[("web", "echo here; exec sleep 1000", 1)]);
    service.start();
    let mut before = runs(&service);
    let began = before.log;
    let has_said = |service: &Service, times: usize| {
        let all = b"here\n".repeat(times);
        eventually("each run said so in one log", || (service.log("web.1") == all).then_some(()));
    };
    for times in 1..4 {
        has_said(&service, times);
        kill(pid(&before));
        let after = service.await_status("web.1", "runs again", |status| {
            status.state == State::Running && status.run > before.run
        });
        assert_eq!(after.log, began, "it goes on in the log of the one before it");
        before = after;
    }
    let slot = service.path().join("web.1");
    assert_eq!(names(&slot.join("runs")), BTreeSet::from([before.run.to_string()]));
    // What a status says is told before all of it is written down.
    let files = BTreeSet::from(["run.json", "stderr", "stdout"].map(str::to_owned));
    eventually("its directory has these files alone", || {
        (names(&service.run_directory("web.1")) == files).then_some(())
    });
    has_said(&service, 4);
    assert_eq!(ps_supervisor::log(&slot, Stream::Stdout).segments().expect("readable").len(), 1);
    // A supervisor that follows gives out none of these numbers again.
    service.kill_supervisor();
    service.start_as_it_is();
    assert_eq!(runs(&service).run, before.run);
    kill(pid(&before));
    service.await_status("web.1", "runs again", |status| {
        status.state == State::Running && status.run > before.run
    });
}

#[test]
fn a_run_is_taken_over_though_the_status_of_its_slot_is_lost() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 2)]);
    service.start();
    let before = runs(&service);
    service.await_status("web.2", "runs", |status| status.state == State::Running);
    for damage in ["", "{", "{\"format\":9}"] {
        service.kill_supervisor();
        match damage {
            "" => fs::remove_file(service.path().join("web.1/status.json")).expect("it was there"),
            damage => fs::write(service.path().join("web.1/status.json"), damage).expect("written"),
        }
        service.start_as_it_is();
        let after = runs(&service);
        assert_eq!((pid(&after), after.run, after.port), (pid(&before), before.run, before.port));
        assert_eq!(service.processes().len(), 2);
    }
}

/// Whoever saw it was killed before it could say so in the status.
#[test]
fn an_end_that_somebody_saw_is_known_to_the_next_supervisor() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)])
        .with(|spec| spec.restart_policy = "no".parse().expect("a policy"));
    service.start();
    let before = runs(&service);
    service.kill_supervisor();
    kill(pid(&before));
    let is_gone = || before.process.as_ref().is_none_or(|process| !process.is_alive());
    eventually("it has ended", || is_gone().then_some(()));
    fs::write(service.run_directory("web.1").join("exit"), r#"{"format":1,"exit":{"code":3}}"#)
        .expect("written");
    service.start_as_it_is();
    let after = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
    assert_eq!((after.last_exit, after.process), (Some(Exit::Code(3)), None));
}

#[test]
fn a_status_of_a_later_format_is_not_read_and_says_what_to_do() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    runs(&service);
    service.kill_supervisor();
    let path = service.path().join("web.1");
    fs::write(path.join("status.json"), r#"{"format":3,"runs":[]}"#).expect("written");
    let refused = Status::read(&path).expect_err("a later format").to_string();
    assert!(refused.contains("format 3") && refused.contains("deploy the app first"), "{refused}");
    service.start_as_it_is();
    runs(&service);
}
