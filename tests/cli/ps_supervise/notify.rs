//! A process may say how it is, by `NOTIFY_SOCKET`, where its type asks for that; nobody else is heard.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use formation::{Exit, State};
use ps_supervisor::{Health, Ready, Status};
use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually, pid};

const LONG: Duration = Duration::from_secs(60);

fn notifying(deadline: Duration) -> Health {
    Health { ready: Ready::Notify, deadline: Some(deadline), ..Health::default() }
}

/// A service of one process `web`, which says how it is.
fn web(command: &str, health: Health) -> Service {
    Service::new(&[("web", command, 1)]).with(|spec| spec.processes[0].health = Some(health))
}

fn running(status: &Status) -> bool {
    status.state == State::Running
}

/// Whether this machine has the program by which scripts say how they are; a test that needs it is skipped without.
fn has_systemd_notify() -> bool {
    let is_there = Path::new("/usr/bin/systemd-notify").exists();
    if !is_there {
        skipped::skip("systemd-notify is not installed");
    }
    is_there
}

#[test]
fn it_is_starting_until_it_says_that_it_is_ready_and_a_stranger_cannot_say_so_for_it() {
    let script = "sh -c 'until [ -e go ]; do sleep 0.01; done; exec faultapp --ready-after 0'";
    let mut service = web(script, notifying(LONG));
    service.start();
    let starting = service.await_status("web.1", "lives", |status| status.process.is_some());
    assert_eq!(starting.state, State::Starting);
    let stranger = UnixDatagram::unbound().expect("a socket");
    let words = format!("READY=1\nSTATUS=forged\nMAINPID={}\n", std::process::id());
    stranger.send_to(words.as_bytes(), service.path().join("notify")).expect("it is taken");
    for odd in [&b"\xff\x00=="[..], &[b'x'; 10_000]] {
        stranger.send_to(odd, service.path().join("notify")).expect("it is taken");
    }
    // Whatever was said before this answer has been heard.
    service.ask(&ps_supervisor::Request::Hello);
    let still = service.status("web.1").expect("a status");
    assert_eq!((still.state, still.says, still.process), (State::Starting, None, starting.process.clone()));
    std::fs::write(service.path().join("go"), "").expect("written");
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!(ready.process, starting.process);
}

#[test]
fn a_type_that_does_not_ask_for_it_is_not_told_where_it_could_say_how_it_is() {
    let mut service = web("sh -c 'echo [$NOTIFY_SOCKET$WATCHDOG_USEC]; exec sleep 1000'", Health::default());
    service.start();
    service.await_status("web.1", "is ready", running);
    assert_eq!(service.log("web.1"), b"[]\n");
    assert!(!service.path().join("notify").exists());
}

#[test]
fn a_script_says_by_systemd_notify_that_it_is_ready_and_what_it_does() {
    if !has_systemd_notify() {
        return;
    }
    let mut service = web("sh -c 'systemd-notify --ready --status=well; exec sleep 1000'", notifying(LONG));
    service.start();
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!(ready.says.as_deref(), Some("well"));
}

#[test]
fn one_that_no_longer_says_that_it_lives_is_started_again() {
    let health = Health { watchdog: Some(Duration::from_millis(500)), ..Health::default() };
    let mut service = web("sh -c 'echo $WATCHDOG_USEC; exec sleep 1000'", health);
    service.start();
    let over = service.await_status("web.1", "ends", |status| status.reason.is_some());
    assert_eq!(over.reason.as_deref(), Some("watchdog: it did not say WATCHDOG=1 for 0.5 s"));
    service.await_status("web.1", "is back", |status| running(status) && status.restarts > 0);
    assert!(service.log("web.1").starts_with(b"500000\n"));
}

#[test]
fn one_that_says_that_it_lives_is_left_alone_until_it_says_that_it_does_not() {
    if !has_systemd_notify() {
        return;
    }
    let script = "sh -c 'until [ -e enough ]; do systemd-notify WATCHDOG=1; sleep 0.1; done; systemd-notify WATCHDOG=trigger; exec sleep 1000'";
    let health = Health { watchdog: Some(Duration::from_secs(5)), ..Health::default() };
    let mut service = web(script, health);
    service.start();
    let ready = service.await_status("web.1", "is ready", running);
    let told_for = std::time::Instant::now();
    // Longer than it may be silent.
    while told_for.elapsed() < Duration::from_secs(6) {
        assert_eq!(service.status("web.1").expect("a status").process, ready.process);
        std::thread::sleep(Duration::from_millis(100));
    }
    std::fs::write(service.path().join("enough"), "").expect("written");
    let over = service.await_status("web.1", "ends", |status| status.reason.is_some());
    assert_eq!(over.reason.as_deref(), Some("watchdog: it said WATCHDOG=trigger"));
}

#[test]
fn one_that_asks_for_more_time_has_it() {
    if !has_systemd_notify() {
        return;
    }
    let script = "sh -c 'systemd-notify EXTEND_TIMEOUT_USEC=60000000; sleep 6; systemd-notify --ready; exec sleep 1000'";
    let mut service = web(script, notifying(Duration::from_secs(5)));
    service.start();
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!((ready.restarts, ready.reason), (0, None));
}

#[test]
fn the_main_process_is_the_one_that_it_names_if_that_is_of_its_own_tree() {
    if !has_systemd_notify() {
        return;
    }
    let script = "sh -c 'systemd-notify MAINPID=1; sleep 1000 & systemd-notify --ready MAINPID=$!; exit 0'";
    let mut service = web(script, notifying(LONG));
    service.start();
    let ready = service.await_status("web.1", "is ready", running);
    let main = pid(&ready);
    let command = std::fs::read_to_string(format!("/proc/{main}/cmdline")).expect("it lives");
    assert!(command.starts_with("sleep"), "{command}");
    // As long as the shell lives it is the shell that learns how its child ended.
    eventually("it is the supervisor's child", || {
        let stat = std::fs::read_to_string(format!("/proc/{main}/stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse::<u32>().ok()?;
        (parent == service.supervisor_pid()).then_some(())
    });
    kill_process(Pid::from_raw(i32::try_from(main).expect("a pid")).expect("a pid"), Signal::KILL)
        .expect("it is ours");
    let again = service.await_status("web.1", "is back", |status| running(status) && status.restarts == 1);
    assert_eq!(again.last_exit, Some(Exit::Signal(9)));
}
