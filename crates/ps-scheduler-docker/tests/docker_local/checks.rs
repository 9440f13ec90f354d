//! Startup checks as the gate of a rollout, against real containers.

use std::fs;
use std::time::{Duration, Instant};

use ps_probe::{Ask, Check, Checks, Get};
use ps_rollout::Strategy;
use ps_scheduler::{Cancel, Intent, Plan, Process, Progress, Requester, Scheduler};

use crate::place::{Place, SERVER, docker};

/// A server that answers `/up` with "all is well" on the port of the environment, and on port 8080.
const HEALTHY: &str =
    "mkdir -p /www && echo 'all is well' >/www/up && (httpd -p 8080 -h /www; exec httpd -f -p $PORT -h /www)";

fn check(ask: Ask) -> Check {
    Check {
        ask,
        attempts: 2,
        timeout: Duration::from_secs(5),
        wait: Duration::from_millis(100),
        initial_delay: Duration::ZERO,
        only_warns: false,
        on_failure: Vec::new(),
        port: None,
    }
}

fn get(path: &str, content: &str) -> Check {
    check(Ask::Get(Get { path: path.to_owned(), content: content.to_owned(), ..Get::default() }))
}

fn run(words: &[&str]) -> Check {
    check(Ask::Run(words.iter().map(|word| (*word).to_owned()).collect()))
}

/// Deploys `web` with these startup checks. Returns the result, and the messages.
fn deploy(place: &Place, command: &str, startup: Vec<Check>) -> (Result<(), String>, Vec<String>) {
    let mut release = place.plan(&["web=1"], command, &Intent::Deploy).release;
    let checks = Checks { startup, ..Checks::default() };
    let web: &mut Process = &mut release.processes[0];
    (web.checks, web.strategy) = (checks, Some(Strategy::Overlap));
    let wanted = ps_scheduler::conformance::formation(&["web=1"]);
    let plan = Plan::new(
        release,
        &wanted,
        &place.status().instances,
        &Intent::Deploy,
        place.docker.usual_strategy(),
    );
    let mut said = Vec::new();
    let mut say = |progress| {
        if let Progress::Note(text) = progress {
            said.push(text);
        }
    };
    let deployed =
        place.docker.deploy(&plan, &mut Requester { tell: &mut say, cancel: &Cancel::default(), lock: None });
    (deployed.map(drop).map_err(|error| error.to_string()), said)
}

#[test]
fn a_container_that_holds_every_kind_of_check_takes_over() {
    let place = Place::new();
    let startup = vec![
        check(Ask::Listen),
        get("/up", "is well"),
        Check { port: Some(8080), ..get("/up", "") },
        Check { port: Some(8080), ..check(Ask::Listen) },
        run(&["grep", "-q", "well", "/www/up"]),
        check(Ask::Live(Duration::from_secs(2))),
    ];
    let begin = Instant::now();
    let (deployed, said) = deploy(&place, HEALTHY, startup);
    assert_eq!((deployed, said), (Ok(()), vec![]));
    assert!(begin.elapsed() > Duration::from_secs(2), "nobody waited for the uptime");
    assert_eq!(place.ids().len(), 1);
}

#[test]
fn a_check_that_fails_leaves_the_container_of_before_and_says_what_it_got_and_the_last_lines() {
    let place = Place::new();
    deploy(&place, SERVER, vec![check(Ask::Listen)]).0.expect("deploys");
    let before = (place.ids(), place.names(), fs::read(place.app_dir().join("IP.web.1")).expect("a record"));
    let noisy = "echo cannot reach the database; mkdir -p /www && exec httpd -f -p $PORT -h /www";
    let silent = Check { timeout: Duration::from_millis(300), ..check(Ask::Listen) };
    for (command, failing, parts) in [
        (noisy, get("/up", ""), ["did not answer GET /up with 2xx in 2 attempts", "404 Not Found"]),
        (
            HEALTHY,
            get("/up", "too bad"),
            ["did not answer GET /up with 2xx and \"too bad\"", "not in its answer"],
        ),
        (
            noisy,
            run(&["sh", "-c", "echo no such table; exit 3"]),
            ["in 2 attempts (exit status 3", "no such table"],
        ),
        (noisy, run(&["/no/such/program"]), ["pass the check `/no/such/program`", "no such file"]),
        ("echo cannot bind; exec sleep 1000", silent, ["did not listen on its port", "nobody listens on"]),
    ] {
        let (deployed, _) = deploy(&place, command, vec![check(Ask::Live(Duration::ZERO)), failing]);
        let failure = deployed.expect_err("a check fails");
        for part in parts {
            assert!(failure.contains(part), "{part} is not in {failure}");
        }
        if command == noisy {
            assert!(failure.contains("the last it wrote:\n    cannot reach the database"), "{failure}");
        }
        let after =
            (place.ids(), place.names(), fs::read(place.app_dir().join("IP.web.1")).expect("a record"));
        assert_eq!(after, before, "{failure}");
    }
}

#[test]
fn a_check_that_takes_too_long_is_killed_in_the_container() {
    let place = Place::new();
    let hanging = Check {
        attempts: 1,
        timeout: Duration::from_millis(500),
        only_warns: true,
        ..run(&["sleep", "998"])
    };
    let (deployed, said) = deploy(&place, SERVER, vec![hanging]);
    assert_eq!(deployed, Ok(()));
    let told = "warning: web.1 did not pass the check `sleep 998` in 1 attempt (it took longer than 0.5 s)";
    assert_eq!(said, [told]);
    crate::place::eventually("the command is gone", || {
        !docker(&["top", &place.ids()[0], "-eo", "pid,args"]).contains("sleep 998")
    });
}

#[test]
fn the_command_of_on_failure_runs_on_this_machine_only_where_that_is_allowed() {
    let place = Place::new();
    let told = place.dir.path().join("told");
    let command = format!("echo $APP $DYNO $CONTAINER_ID >>{}", told.display());
    let failing = || Check {
        attempts: 1,
        only_warns: true,
        on_failure: ["sh", "-c", &command].map(str::to_owned).into(),
        ..run(&["false"])
    };
    let (deployed, said) = deploy(&place, SERVER, vec![failing()]);
    assert_eq!(deployed, Ok(()));
    assert!(
        said[0].contains("was not run") && said[0].contains("ps-set shop host-commands true"),
        "{said:?}"
    );
    assert!(!told.exists(), "it was run without being allowed");
    place.world().set_property("ps", ps_apps::Scope::Global, "host-commands", "true").expect("set");
    let (deployed, said) = deploy(&place, SERVER, vec![failing()]);
    assert_eq!((deployed, said.len()), (Ok(()), 1), "{said:?}");
    let line = fs::read_to_string(&told).expect("it was run");
    assert_eq!(line, format!("shop web.1 {}\n", place.ids()[0]));
}

#[test]
fn an_interrupted_deploy_does_not_wait_for_its_checks() {
    let place = Place::new();
    deploy(&place, SERVER, vec![]).0.expect("deploys");
    let before = place.ids();
    let mut release = place.plan(&["web=1"], SERVER, &Intent::Deploy).release;
    release.processes[0].checks.startup = vec![check(Ask::Live(Duration::from_secs(600)))];
    let wanted = ps_scheduler::conformance::formation(&["web=1"]);
    let present = place.status().instances;
    let plan = Plan::new(release, &wanted, &present, &Intent::Deploy, Strategy::Overlap);
    let cancel = Cancel::default();
    let mut say = |progress| {
        if matches!(progress, Progress::Started(_)) {
            cancel.cancel();
        }
    };
    let begin = Instant::now();
    let deployed = place.docker.deploy(&plan, &mut Requester { tell: &mut say, cancel: &cancel, lock: None });
    assert!(matches!(deployed, Err(ps_scheduler::Error::Cancelled)), "{deployed:?}");
    assert!(begin.elapsed() < Duration::from_secs(60), "it waited for the check");
    assert_eq!(place.ids(), before);
}
