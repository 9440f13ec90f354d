//! `watch`: what becomes of containers that hang, are not ready, are started again by the engine, or are given up by it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::engine::{IMAGE, containers, has_engine, name};
use crate::home::{Home, table};
use crate::program::Running;

/// Both checks of these are asked each second, and hold as long as a file is not there.
const CHECKS: &str = r#"{"healthchecks": {"web": [
    {"type": "liveness", "command": ["test", "!", "-e", "/hung"], "threshold": 2, "interval": 1},
    {"type": "readiness", "command": ["test", "!", "-e", "/busy"], "threshold": 1, "interval": 1}
]}}"#;

/// An app whose `web` runs this in a container, and the app.json that it was deployed with.
fn deployed(stem: &str, command: &str, app_json: &str) -> (Home, String) {
    let (home, app) = (Home::new(), name(stem));
    home.write(&format!("lib/config/ps/{app}/start-cmd"), command);
    // The old container of a replaced one ends at once.
    home.write(&format!("lib/config/checks/{app}/wait-to-retire"), "0");
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    // An image brings no app.json along: this is what a deploy would have recorded.
    home.write(&format!("lib/data/app-json/{app}/app.json"), app_json);
    home.hook("proxy/proxy-build-config", "#!/bin/sh\necho \"$1\" >>\"$HOME/told\"\n");
    (home, app)
}

/// What the watch says, in this home.
fn said(home: &Home) -> String {
    fs::read_to_string(home.path("watch.log")).unwrap_or_default()
}

/// Starts a watch with these words, and waits until it is there.
fn watch(home: &Home, words: &[&str], variables: &[(&str, &str)]) -> Running {
    let mut command = home.command(&[&["ps-lifecycle", "watch"], words].concat());
    let log = fs::File::create(home.path("watch.log")).expect("a file");
    command.process_group(0).stdout(Stdio::null()).stderr(log).envs(variables.iter().copied());
    let watch = Running::begin(command);
    eventually("it watches", || is("said", said(home).contains("Watching the containers of"), || said(home)));
    watch
}

fn docker(words: &[&str]) {
    let ran = Command::new("docker").args(words).output().expect("docker runs");
    assert!(ran.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Whether a container has this address. When it is started again, another one may have taken that which it had.
fn is_address(id: &str, address: &str) -> bool {
    let format = "{{.NetworkSettings.IPAddress}}";
    let ran = Command::new("docker").args(["inspect", "--format", format, id]).output();
    String::from_utf8_lossy(&ran.expect("docker runs").stdout).trim() == address.trim()
}

/// Waits for a fact that takes a rollout or two.
fn eventually(what: &str, look: impl Fn() -> Result<(), String>) {
    let begin = Instant::now();
    while let Err(seen) = look() {
        assert!(begin.elapsed() < Duration::from_secs(60), "not within a minute: {what}: {seen}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn is(what: &str, seen: bool, told: impl FnOnce() -> String) -> Result<(), String> {
    if seen { Ok(()) } else { Err(format!("{what}: {}", told())) }
}

fn ip(home: &Home, app: &str) -> PathBuf {
    home.path(&format!("home/{app}/IP.web.1"))
}

#[test]
fn a_container_that_hangs_is_replaced_and_the_journal_says_why() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("hangs", "exec sleep 1000", CHECKS);
    let before = containers(&app, "{{.ID}}");
    let mut watch = watch(&home, &[&app], &[]);
    docker(&["exec", &before[0], "touch", "/hung"]);
    eventually("another container is there", || {
        let now = containers(&app, "{{.ID}}");
        is("containers", now.len() == 1 && now != before, || format!("{now:?}"))
    });
    assert_eq!(home.states(&app), table(&[("web.1", "running")]));
    let journal =
        fs::read_to_string(home.path(&format!("lib/data/formation/{app}/journal"))).expect("a journal");
    assert!(journal.contains("did not pass the check `test ! -e /hung` in 2 attempts"), "{journal}");
    watch.signal(Signal::TERM);
    assert_eq!(watch.ended().status, Some(0));
}

#[test]
fn clients_are_not_led_to_a_container_that_is_not_ready_until_it_is() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("busy", "exec sleep 1000", CHECKS);
    let before = containers(&app, "{{.ID}}");
    let (path, told) = (ip(&home, &app), home.path("told"));
    let mut watch = watch(&home, &[&app], &[]);
    docker(&["exec", &before[0], "touch", "/busy"]);
    eventually("its address is gone and the proxy was told", || {
        let calls = fs::read_to_string(&told).unwrap_or_default();
        is("calls", !path.exists() && calls == format!("{app}\n"), || format!("{calls:?} {}", path.exists()))
    });
    assert_eq!(home.states(&app), table(&[("web.1", "unready")]));
    docker(&["exec", &before[0], "rm", "/busy"]);
    eventually("its address is back and the proxy was told", || {
        let calls = fs::read_to_string(&told).unwrap_or_default();
        let now = fs::read_to_string(&path).unwrap_or_default();
        is("calls", is_address(&before[0], &now) && calls.lines().count() == 2, || format!("{calls:?} {now}"))
    });
    assert_eq!(home.states(&app), table(&[("web.1", "running")]));
    assert_eq!(containers(&app, "{{.ID}}"), before, "it was not replaced");
    watch.signal(Signal::TERM);
    assert_eq!(watch.ended().status, Some(0));
}

#[test]
fn an_address_that_is_not_the_one_of_the_container_is_written_anew_when_the_engine_starts_it_again() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("moved", "exec sleep 1000", "{}");
    let before = containers(&app, "{{.ID}}");
    let (path, told) = (ip(&home, &app), home.path("told"));
    let mut watch = watch(&home, &[&app], &[]);
    fs::write(&path, "10.9.8.7").expect("written");
    docker(&["restart", "--time", "0", &before[0]]);
    eventually("its address is written down, and the proxy told", || {
        let now = fs::read_to_string(&path).unwrap_or_default();
        let is_told = fs::read_to_string(&told).is_ok_and(|calls| !calls.is_empty());
        is("address", is_address(&before[0], &now) && is_told, || format!("{now} {is_told}"))
    });
    // The same holds for what has changed while nobody watched.
    watch.signal(Signal::TERM);
    assert_eq!(watch.ended().status, Some(0));
    fs::write(&path, "10.9.8.7").expect("written");
    let _watch = self::watch(&home, &[&app], &[]);
    eventually("its address is written down", || {
        let now = fs::read_to_string(&path).unwrap_or_default();
        is("address", is_address(&before[0], &now), || now.clone())
    });
}

#[test]
fn an_instance_that_the_engine_gives_up_is_started_anew_three_times_and_has_crashed_then() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("crashes"));
    home.write(&format!("lib/config/ps/{app}/start-cmd"), "sleep 2; exit 3");
    home.write(&format!("lib/config/ps/{app}/restart-policy"), "on-failure:1");
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    let mut watch = watch(&home, &["--all"], &[]);
    let begin = Instant::now();
    while !said(&home).contains("is given up") {
        assert!(begin.elapsed().as_secs() < 180, "{:?} after {}", home.status(&app), said(&home));
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((home.states(&app), starts(&home, &app)), (table(&[("web.1", "crashed")]), 3));
    let given_up = containers(&app, "{{.ID}}");
    home.does(&["ps-lifecycle", "restore", &app]);
    assert_eq!(containers(&app, "{{.ID}}"), given_up, "it is not woken");
    watch.signal(Signal::TERM);
    let ran = watch.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let said = said(&home);
    assert!(said.contains("is given up") && said.contains("after 1 restarts"), "{said}");
    home.does(&["ps-lifecycle", "reset", &app]);
    home.does(&["ps-lifecycle", "start", &app]);
    assert_ne!(containers(&app, "{{.ID}}"), given_up, "a person may");
}

/// How often the watch has started an instance anew.
fn starts(home: &Home, app: &str) -> usize {
    let journal =
        fs::read_to_string(home.path(&format!("lib/data/formation/{app}/journal"))).unwrap_or_default();
    journal.lines().filter(|line| line.contains(r#""event":"happened""#)).count()
}

#[test]
fn a_second_watch_says_who_is_there_and_a_signal_ends_the_first_at_once() {
    let home = Home::new();
    let mut first = watch(&home, &["--all"], &[]);
    let holder = format!("by process {}", first.pid());
    home.refuses(&["ps-lifecycle", "watch", "--all"], 75, &["are watched already", &holder]);
    first.signal(Signal::TERM);
    let ran = first.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.took.as_secs() < 30, "it took {:?}", ran.took);
}

#[test]
fn an_engine_that_is_away_is_waited_for() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("away", "exec sleep 1000", CHECKS);
    let socket = home.path("engine.sock");
    let host = format!("unix://{}", socket.display());
    let mut watch = watch(&home, &[&app], &[("DOCKER_HOST", &host)]);
    let said = || said(&home);
    eventually("it says that nobody is there", || is("said", said().contains("it is waited for"), said));
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).expect("a link");
    eventually("it says that somebody is there", || is("said", said().contains("answers again"), said));
    let before = containers(&app, "{{.ID}}");
    docker(&["exec", &before[0], "touch", "/hung"]);
    eventually("another container is there", || {
        let now = containers(&app, "{{.ID}}");
        is("containers", now.len() == 1 && now != before, || format!("{now:?} {}", said()))
    });
    watch.signal(Signal::TERM);
    assert_eq!(watch.ended().status, Some(0));
}
