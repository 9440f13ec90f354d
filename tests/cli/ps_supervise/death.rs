//! The supervisor may die: what it supervised runs on, and the next one takes it over.

use std::fs;
use std::time::Duration;

use formation::State;
use rustix::process::Signal;

use crate::rounds;
use crate::service::{Service, eventually, pid};

#[test]
fn a_killed_supervisor_leaves_its_processes_to_the_next_one() {
    let mut service = Service::new(&[("web", "faultapp --tick 60", 2)]);
    service.start();
    let both = || ["web.1", "web.2"].map(|slot| service_pid(&service, slot));
    let before = both();
    for _ in 0..rounds(5, 200) {
        service.kill_supervisor();
        // In the middle of an exec a process has no environment to be found by, for a moment.
        eventually("both live on, and no other was started", || {
            (service.processes().len() == 2).then_some(())
        });
        service.start();
        assert_eq!(["web.1", "web.2"].map(|slot| service_pid(&service, slot)), before);
    }
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert_eq!(service.processes(), Vec::<u32>::new(), "an adopted process was not stopped");
}

fn service_pid(service: &Service, slot: &str) -> u32 {
    pid(&service.await_status(slot, "runs", |status| status.state == State::Running))
}

#[test]
fn no_byte_of_output_is_lost_or_doubled_while_supervisors_are_killed() {
    let lines = rounds(200_000, 5_000_000);
    let mut service = Service::new(&[("web", &format!("faultapp --log-lines {lines} --tick 60"), 1)]);
    service.start();
    for _ in 0..rounds(20, 200) {
        service.kill_supervisor();
        std::thread::sleep(Duration::from_millis(3));
        service.start();
    }
    let last = format!("{lines}");
    eventually("all has been written", || {
        let log = service.log("web.1");
        let tail = &log[log.len().saturating_sub(400)..];
        String::from_utf8_lossy(tail)
            .lines()
            .any(|line| line.split(' ').any(|word| word == last))
            .then_some(())
    });
    let log = String::from_utf8(service.log("web.1")).expect("text");
    let numbers: Vec<usize> = log.lines().filter_map(number).take(lines).collect();
    assert_eq!(numbers.len(), lines, "lines were lost");
    assert!(
        numbers.iter().zip(1..).all(|(number, expected)| *number == expected),
        "lines were doubled or torn"
    );
}

/// The number of a numbered line.
fn number(line: &str) -> Option<usize> {
    line.rsplit(' ').next()?.parse().ok().filter(|_| line.contains("line"))
}

#[test]
fn an_adopted_process_that_dies_is_started_again() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let before = service_pid(&service, "web.1");
    service.kill_supervisor();
    service.start();
    let process = rustix::process::Pid::from_raw(i32::try_from(before).expect("a pid")).expect("a pid");
    rustix::process::kill_process(process, Signal::KILL).expect("it is ours");
    let after = service.await_status("web.1", "is back", |status| {
        status.state == State::Running && status.process.as_ref().is_some_and(|process| process.pid != before)
    });
    assert_eq!(after.last_exit, None, "nobody could see how it ended");
}

#[test]
fn a_stranger_with_the_same_pid_is_not_adopted() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let status = service.await_status("web.1", "runs", |status| status.state == State::Running);
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    // A status that names a live process, ours, but with another start time.
    let mut stale = serde_json::to_value(&status).expect("plain data");
    stale["process"]["pid"] = std::process::id().into();
    fs::write(service.path().join("web.1/status.json"), stale.to_string()).expect("written");
    service.start();
    service.await_status("web.1", "runs as a process of its own", |status| {
        status.state == State::Running && pid(status) != std::process::id()
    });
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
}

#[test]
fn a_second_supervisor_is_refused() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let second =
        service.command().stderr(std::process::Stdio::piped()).output().expect("ps-supervise starts");
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{words}");
    assert!(words.contains("has a supervisor already") && words.lines().count() == 1, "{words}");
    service.await_status("web.1", "runs", |status| status.state == State::Running);
}

#[test]
fn a_status_that_is_no_file_holds_nobody_up() {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let path = directory.path().join("status.json");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, rustix::fs::Mode::RWXU, 0).expect("a FIFO");
    let refused = ps_supervisor::Status::read(directory.path()).expect_err("a FIFO is no status");
    assert!(
        refused.to_string().contains("status.json") && refused.to_string().contains("remove it"),
        "{refused}"
    );
}

#[test]
fn a_corrupt_status_is_no_reason_not_to_start() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    for garbage in [&b""[..], b"{", b"\0\0\0", b"{\"slot\":\"web.1\"}", b"[]"] {
        fs::create_dir_all(service.path().join("web.1")).expect("made");
        fs::write(service.path().join("web.1/status.json"), garbage).expect("written");
        service.start();
        eventually("it runs", || service.processes().first().copied());
        service.signal(Signal::TERM);
        assert!(service.await_end().success());
    }
}

#[test]
fn no_signal_that_could_be_ignored_ends_or_stops_a_supervisor() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let before = service_pid(&service, "web.1");
    let supervisor = service.supervisor_pid().to_string();
    let names = ["HUP", "QUIT", "USR1", "USR2", "ALRM", "PIPE", "VTALRM", "PROF", "IO", "PWR", "STKFLT"];
    let numbers: Vec<String> = (34..=64).map(|number: i32| number.to_string()).collect();
    let others = ["TSTP", "TTIN", "TTOU", "XCPU", "XFSZ", "TRAP", "SYS", "WINCH", "URG", "CONT", "CHLD"];
    let all = names.iter().chain(&others).copied().chain(numbers.iter().map(String::as_str));
    for signal in all {
        let sent = std::process::Command::new("kill").args(["-s", signal, &supervisor]).status();
        assert!(sent.expect("kill runs").success(), "{signal}");
        assert_eq!(service.ask(&ps_supervisor::Request::Apply), None, "{signal}");
    }
    assert_eq!(service_pid(&service, "web.1"), before);
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert_eq!(service.processes(), Vec::<u32>::new());
}
