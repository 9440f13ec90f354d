//! A run is ready when what its spec says of that is true, and is watched from then on.

#[path = "ready/https.rs"]
mod https;

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use formation::{Exit, RestartReason, State};
use ps_supervisor::{Ask, Check, Checks, Get, Health, Ready, Status};
use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually, eventually_seen, pid};

/// Longer than anything that happens here takes.
const LONG: Duration = Duration::from_secs(60);
/// For what is asked again and again.
const SHORT: Duration = Duration::from_millis(100);

fn check(ask: Ask) -> Check {
    Check {
        ask,
        attempts: 1,
        timeout: LONG,
        wait: SHORT,
        initial_delay: Duration::ZERO,
        only_warns: false,
        on_failure: Vec::new(),
        port: None,
    }
}

fn run(words: &[&str]) -> Check {
    check(Ask::Run(words.iter().map(|word| (*word).to_owned()).collect()))
}

fn get(path: &str) -> Check {
    check(Ask::Get(Get { path: path.to_owned(), ..Get::default() }))
}

fn starts_with(startup: Vec<Check>) -> Health {
    let checks = Checks { startup, ..Checks::default() };
    Health { deadline: Some(LONG), checks, ..Health::default() }
}

fn listening(deadline: Duration) -> Health {
    Health { ready: Ready::Listening, deadline: Some(deadline), ..Health::default() }
}

/// A service of one process `web`.
fn web(command: &str, health: Health) -> Service {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    Service::new(&[("web", command, 1)]).with(|spec| {
        spec.processes[0].health = Some(health);
        // Apart from the ports that other tests are given: somebody who listens there would be taken for this one.
        spec.base_port = free.expect("a port").port();
    })
}

fn running(status: &Status) -> bool {
    status.state == State::Running
}

#[test]
fn a_process_that_is_to_listen_is_starting_until_it_does() {
    let mut service =
        web("sh -c 'until [ -e go ]; do sleep 0.01; done; exec faultapp --listen'", listening(LONG));
    service.start();
    let starting = service.await_status("web.1", "lives", |status| status.process.is_some());
    assert_eq!(starting.state, State::Starting);
    fs::write(service.path().join("go"), "").expect("written");
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!((ready.process, ready.restarts), (starting.process, 0));
}

#[test]
fn one_of_which_nothing_is_asked_is_ready_once_it_has_lived_for_a_second() {
    let mut service = web("exec sleep 1000", Health::default());
    service.start();
    let begin = service.await_status("web.1", "lives", |status| status.process.is_some());
    assert_eq!(begin.state, State::Starting);
    let ready = service.await_status("web.1", "is ready", running);
    let lived = ready.since.duration_since(begin.since);
    assert!(lived.as_millis() >= 900, "{lived:?}");
}

#[test]
fn one_that_misses_its_deadline_is_started_again_by_its_policy_and_says_why() {
    let mut service = web("exec sleep 1000", listening(Duration::from_millis(200))).with(|spec| {
        spec.restart_policy = "on-failure:1".parse().expect("a policy");
    });
    service.start();
    let over = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
    let port = over.port.expect("a port");
    assert_eq!(over.restarts, 1);
    let says = format!(
        "not ready: runs but nobody listens on its port {port} (PORT) after 0.2 s; if web does not listen, "
    );
    assert!(over.reason.as_ref().is_some_and(|reason| reason.starts_with(&says)), "{over:?}");
}

#[test]
fn a_port_that_another_process_listens_on_makes_nobody_ready_and_that_process_is_named() {
    // It takes the port once it is settled that it is free.
    let mut service =
        web("until [ -e go ]; do sleep 0.01; done; exec sleep 1000", listening(Duration::from_secs(2)))
            .with(|spec| spec.restart_policy = "no".parse().expect("a policy"));
    service.start();
    let starting = service.await_status("web.1", "lives", |status| status.process.is_some());
    let port = starting.port.expect("a port");
    let _stranger = TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    fs::write(service.path().join("go"), "").expect("written");
    let over = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
    let reason = over.reason.expect("a reason");
    let says = format!("its port {port} (PORT) is listened on by ");
    let who = format!("(pid {}) and by none of its own processes", std::process::id());
    assert!(reason.contains(&says) && reason.contains(&who), "{reason}");
}

#[test]
fn a_process_that_listens_on_another_port_is_told_which() {
    let own = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let command = format!("sh -c 'faultapp --listen {own}; true'");
    let mut service = web(&command, listening(Duration::from_secs(2)))
        .with(|spec| spec.restart_policy = "no".parse().expect("a policy"));
    service.start();
    let over = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
    let (reason, port) = (over.reason.expect("a reason"), over.port.expect("a port"));
    let says = format!(
        "runs and listens on port {own}, but not on its port {port} (PORT) after 2 s; have it listen on $PORT, or "
    );
    assert!(reason.contains(&says), "{reason}");
}

#[test]
fn a_check_with_a_port_of_its_own_is_asked_there_unless_the_version_that_deployed_asked_none_there() {
    let own = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let own = own.expect("a port").port();
    let command = format!("sh -c 'faultapp --listen {own}; true'");
    for asked in [check(Ask::Listen), get("/health")] {
        let asked = |timeout| vec![Check { port: Some(own), timeout, ..asked.clone() }];
        let health = |asks_own_ports, timeout| Health { asks_own_ports, ..starts_with(asked(timeout)) };
        let once =
            |health| web(&command, health).with(|spec| spec.restart_policy = "no".parse().expect("one"));
        let mut service = once(health(true, LONG));
        service.start();
        let ready = service.await_status("web.1", "is ready", running);
        assert!(ready.port.is_some_and(|port| port != own), "{ready:?}");
        drop(service);
        let mut service = once(health(false, Duration::from_secs(2)));
        service.start();
        let over = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
        let (reason, port) = (over.reason.expect("a reason"), over.port.expect("a port"));
        // It may not listen yet on a busy machine.
        let says = [
            format!("(it listens on port {own}, not on port {port})"),
            format!("(nobody listens on port {port})"),
        ];
        assert!(says.iter().any(|says| reason.contains(says)), "{reason}");
    }
}

#[test]
fn a_port_of_a_check_that_another_process_has_makes_nobody_ready() {
    let stranger = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = stranger.local_addr().expect("bound").port();
    let asked = Check { port: Some(port), timeout: Duration::from_secs(2), ..get("/health") };
    let health = Health { asks_own_ports: true, ..starts_with(vec![asked]) };
    let mut service =
        web("faultapp --listen", health).with(|spec| spec.restart_policy = "no".parse().expect("a policy"));
    service.start();
    let over = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
    let reason = over.reason.expect("a reason");
    let says = format!(
        "did not answer GET /health on port {port} with 2xx in 1 attempt (port {port} is listened on by "
    );
    assert!(reason.contains(&says) && reason.contains("by none of its own processes"), "{reason}");
}

#[test]
fn whichever_process_of_its_tree_listens_and_on_whatever_address_makes_it_ready() {
    let mut commands = vec![
        "faultapp --listen --bind 127.0.0.1",
        "sh -c 'sh -c \"faultapp --listen --bind 0.0.0.0; true\"; true'",
        "setsid -f faultapp --listen; exec sleep 1000",
    ];
    if TcpListener::bind("[::1]:0").is_ok() {
        commands.extend(["faultapp --listen --bind ::1", "faultapp --listen --bind ::"]);
    }
    for command in commands {
        let mut service = web(command, listening(LONG));
        service.start();
        let ready = service.await_status("web.1", "is ready", running);
        assert_eq!(ready.restarts, 0, "{command}");
    }
}

#[test]
fn a_get_must_be_answered_with_what_it_asks_for_and_the_last_answer_is_told() {
    let wrong = Check { attempts: 2, ..get("/health") };
    let wrong = Check {
        ask: Ask::Get(Get {
            content: "no such word".to_owned(),
            ..Get { path: "/health".to_owned(), ..Get::default() }
        }),
        ..wrong
    };
    for (health, is_ready) in [(starts_with(vec![get("/health")]), true), (starts_with(vec![wrong]), false)] {
        let mut service = web("faultapp --listen --listen-after 50", health)
            .with(|spec| spec.restart_policy = "no".parse().expect("a policy"));
        service.start();
        let end = service.await_status("web.1", "is ready or given up", |status| {
            matches!(status.state, State::Running | State::Crashed)
        });
        assert_eq!(end.state == State::Running, is_ready, "{end:?}");
        if !is_ready {
            let reason = end.reason.expect("a reason");
            assert!(
                reason.starts_with(
                    "not ready: did not answer GET /health with 2xx and \"no such word\" in 2 attempts"
                ),
                "{reason}"
            );
        }
    }
}

#[test]
fn a_check_command_runs_in_the_surroundings_of_its_run_and_says_why_it_failed() {
    let script =
        "printf '%s %s %s' \"$PORT\" \"$PS\" \"$PWD\" >asked; test -e go || { echo too early; exit 3; }";
    let health = starts_with(vec![Check { attempts: 1000, ..run(&["sh", "-c", script]) }]);
    let mut service = web("exec sleep 1000", health);
    service.start();
    let early = service.await_status("web.1", "is not ready yet", |status| status.reason.is_some());
    let reason = early.reason.expect("a reason");
    assert!(early.state == State::Starting && reason.ends_with("(exit status 3: too early)"), "{reason}");
    let port = early.port.expect("a port");
    let surroundings = format!("{port} web.1 {}", service.path().display());
    // Each attempt writes it anew.
    let asked = || fs::read_to_string(service.path().join("asked")).expect("it ran");
    eventually_seen("it has told", || (asked() == surroundings).then_some(()), asked);
    fs::write(service.path().join("go"), "").expect("written");
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!((ready.process, ready.reason), (early.process, None));
}

#[test]
fn of_a_check_command_nothing_is_left_whatever_it_starts_and_however_much_it_prints() {
    let noisy = "head -c 10000000 /dev/zero; setsid sleep 1000 & setsid sh -c 'setsid sleep 1000 & exec sleep 1000' & sleep 0.1";
    let hanging = "setsid sleep 1000 & exec sleep 1000";
    let hanging =
        Check { timeout: Duration::from_millis(300), only_warns: true, ..run(&["sh", "-c", hanging]) };
    let health = starts_with(vec![run(&["sh", "-c", noisy]), hanging]);
    let mut service = web("exec sleep 1000", health);
    service.start();
    let ready = service.await_status("web.1", "is ready", running);
    eventually("only its own process is left", || (service.processes() == [pid(&ready)]).then_some(()));
}

#[test]
fn an_instance_whose_liveness_check_fails_is_started_again_and_its_command_of_failure_is_run() {
    let alive = Check {
        attempts: 2,
        on_failure: ["sh", "-c", "echo failed >>failures"].map(str::to_owned).into(),
        ..run(&["test", "-e", "alive"])
    };
    let checks = Checks { liveness: vec![alive], ..Checks::default() };
    let mut service = web("exec sleep 1000", Health { checks, ..Health::default() });
    fs::write(service.path().join("alive"), "").expect("written");
    service.start();
    let first = service.await_status("web.1", "is ready", running);
    fs::remove_file(service.path().join("alive")).expect("it was there");
    let over = service.await_status("web.1", "ends", |status| {
        status.reason.as_ref().is_some_and(|reason| reason.starts_with("unhealthy: "))
    });
    assert_eq!(
        over.reason.as_deref(),
        Some("unhealthy: did not pass the check `test -e alive` in 2 attempts (exit status 1)")
    );
    fs::write(service.path().join("alive"), "").expect("written");
    let second =
        service.await_status("web.1", "is back", |status| running(status) && status.process != first.process);
    assert_eq!((second.restarts, second.restarts_by_reason.of(RestartReason::Unhealthy)), (1, 1));
    assert_eq!(second.last_exit, Some(Exit::Signal(15)));
    eventually("the command was run", || {
        fs::read_to_string(service.path().join("failures")).ok().filter(|text| text == "failed\n")
    });
}

#[test]
fn an_instance_whose_readiness_check_fails_is_unready_for_as_long_as_it_does_and_runs_on() {
    let checks = Checks { readiness: vec![run(&["test", "-e", "calm"])], ..Checks::default() };
    let mut service = web("exec sleep 1000", Health { checks, ..Health::default() });
    fs::write(service.path().join("calm"), "").expect("written");
    service.start();
    let first = service.await_status("web.1", "is ready", running);
    fs::remove_file(service.path().join("calm")).expect("it was there");
    let unready = service.await_status("web.1", "is unready", |status| status.state == State::Unready);
    assert_eq!(
        unready.reason.as_deref(),
        Some("not ready: did not pass the check `test -e calm` in 1 attempt (exit status 1)")
    );
    service.kill_supervisor();
    service.start_as_it_is();
    fs::write(service.path().join("calm"), "").expect("written");
    let again = service.await_status("web.1", "is ready again", running);
    assert_eq!((again.process, again.restarts, again.reason), (first.process, 0, None));
}

#[test]
fn a_check_that_hangs_hurts_neither_its_supervisor_nor_another_instance() {
    let hanging = Check { timeout: Duration::from_millis(500), ..get("/") };
    let checks = Checks { liveness: vec![hanging], ..Checks::default() };
    let mut service =
        Service::new(&[("web", "faultapp --listen --accept-and-hang", 1), ("worker", "exec sleep 1000", 1)])
            .with(|spec| spec.processes[0].health = Some(Health { checks, ..listening(LONG) }));
    service.start();
    service.await_status("web.1", "is ready", running);
    let worker = service.await_status("worker.1", "is ready", running);
    let worker_pid = i32::try_from(pid(&worker)).expect("a pid");
    kill_process(Pid::from_raw(worker_pid).expect("a pid"), Signal::KILL).expect("it is ours");
    let begin = Instant::now();
    service.await_status("worker.1", "is back", |status| running(status) && status.process != worker.process);
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    let over = service.await_status("web.1", "is started again", |status| status.restarts > 0);
    assert_ne!(over.state, State::Crashed);
}

#[test]
fn what_is_starting_when_its_supervisor_dies_is_still_starting_for_the_next_one() {
    let mut service =
        web("sh -c 'until [ -e go ]; do sleep 0.01; done; exec faultapp --listen'", listening(LONG));
    service.start();
    let first = service.await_status("web.1", "lives", |status| status.process.is_some());
    service.kill_supervisor();
    service.start_as_it_is();
    service.client();
    let adopted = service.await_status("web.1", "is adopted", |status| status.process.is_some());
    assert_eq!((adopted.process, adopted.state), (first.process.clone(), State::Starting));
    fs::write(service.path().join("go"), "").expect("written");
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!((ready.process, ready.restarts), (first.process, 0));
}

#[test]
fn checks_that_a_dead_supervisor_has_left_are_ended_by_the_next_one() {
    let health = starts_with(vec![run(&["sh", "-c", "setsid sleep 1000 & touch asked; exec sleep 1000"])]);
    let mut service = web("exec sleep 1000", health);
    service.start();
    eventually("it is asked", || service.path().join("asked").exists().then_some(()));
    service.kill_supervisor();
    service.rewrite(|spec| spec.processes[0].health = Some(Health::default()));
    service.start_as_it_is();
    let ready = service.await_status("web.1", "is ready", running);
    eventually("only its own process is left", || (service.processes() == [pid(&ready)]).then_some(()));
}

#[test]
fn a_type_of_which_an_earlier_version_wrote_keeps_its_rule_and_is_ready_once_it_lives() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let status = service.await_status("web.1", "lives", |status| status.process.is_some());
    assert_eq!(status.state, State::Running);
}
