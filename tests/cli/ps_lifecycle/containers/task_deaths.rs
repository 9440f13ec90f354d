//! The engine dies while a task runs: a task of a deploy, or a run by a schedule. Nobody can know then how far it came, which is said, and
//! the same deploy again leaves nothing of it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::private::PrivateEngine;
use super::verbs::{Place, Verb, WITH_TASKS, has_engine};
use crate::engine::{IMAGE, dockerfile};
use crate::home::eventually;
use crate::program::Running;

/// The tasks of a deploy, in the order in which they run.
const TASKS: [&str; 3] = ["predeploy", "release", "postdeploy"];

/// Makes the image on the engine of the place. The task that the variable `LONG` names does not end.
fn make_source(place: &Place<'_>) {
    let task = |name: &str| format!("echo begun {name}; if [ \"$LONG\" = {name} ]; then exec sleep 1000; fi");
    let scripts = json!({"scripts": {"dokku": {"predeploy": task(TASKS[0]), "postdeploy": task(TASKS[2])}}});
    place.home.write("src/Dockerfile", &dockerfile(&place.app));
    place.home.write("src/Procfile", &format!("web: exec sleep 1000\nrelease: {}\n", task(TASKS[1])));
    place.home.write("src/app.json", &scripts.to_string());
    build(place);
}

fn build(place: &Place<'_>) {
    let source = place.home.path("src");
    let mut docker = Command::new("docker");
    docker.args(["--host", &place.host(), "build", "-q", "-t", &format!("formation-test/{}", place.app)]);
    docker.arg(source).env("DOCKER_BUILDKIT", "0").stdout(Stdio::null());
    assert!(docker.status().expect("docker runs").success());
}

/// Has this task run on, or none of them.
fn long(place: &Place<'_>, task: &str) {
    place.home.write(&format!("home/{}/ENV", place.app), &format!("export LONG='{task}'\n"));
}

/// Starts a program whose words on stderr go to a file, which is returned too.
fn start(place: &Place<'_>, words: &[&str], name: &str) -> (Running, std::path::PathBuf) {
    let log = place.home.path(name);
    let mut command = place.command(words, &place.host());
    command.stdout(Stdio::null()).stderr(File::create(&log).expect("a file"));
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    (Running::begin(command), log)
}

fn said(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}

fn kill(engine: &PrivateEngine) {
    rustix::process::kill_process(engine.pid(), Signal::KILL).expect("it lives");
}

fn dies_during(task: &str, place: &Place<'_>, engine: &PrivateEngine, verb: &Verb) {
    long(place, task);
    let (mut deploy, log) = start(place, verb.words, "deploy.log");
    eventually("the task runs", || {
        assert!(deploy.is_running(), "{}", said(&log));
        if said(&log).contains(&format!("begun {task}\n")) { Ok(()) } else { Err(said(&log)) }
    });
    kill(engine);
    assert_eq!(deploy.ended().status, Some(1), "{}", said(&log));
    let unknown = format!("Whether {task}.1 of {} has done what it does is not known", place.app);
    let said = said(&log);
    assert!(said.contains(&unknown) && said.contains("docker.sock"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    engine.start_again();
    long(place, "none");
    place.does(verb.words, task);
    place.is_as_wanted(verb, task);
}

#[test]
fn an_engine_that_dies_during_a_task_of_a_deploy_leaves_what_the_same_deploy_again_makes_right() {
    if !has_engine() {
        return;
    }
    let Some(engine) = PrivateEngine::start() else { return };
    let place = Place::new(engine.socket());
    make_source(&place);
    place.prepare(&WITH_TASKS);
    for task in TASKS {
        dies_during(task, &place, &engine, &WITH_TASKS);
    }
}

#[test]
fn an_engine_that_dies_during_a_run_by_a_schedule_begins_no_second_one() {
    if !has_engine() {
        return;
    }
    let Some(engine) = PrivateEngine::start() else { return };
    let place = Place::new(engine.socket());
    place.home.write("src/Dockerfile", &format!("FROM {IMAGE}\nWORKDIR /app\nCOPY . ./\n"));
    place.home.write("src/Procfile", "web: exec sleep 1000\n");
    let cron = json!({"cron": [{"command": "exec sleep 1000", "schedule": "@yearly"}]});
    place.home.write("src/app.json", &cron.to_string());
    build(&place);
    let image = format!("formation-test/{}", place.app);
    place.does(&["ps-lifecycle", "deploy", "APP", "--image", &image, "--scale", "web=0"], "deploy");
    let file = place.home.path("lib/data/scheduler-docker-local").join(&place.app).join("schedule.json");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
    let mut schedules: Value = serde_json::from_str(&said(&file)).expect("JSON");
    let due = Timestamp::from_second(now.try_into().expect("a time")).expect("a time");
    schedules["types"]["cron-1"]["course"]["owed"] = json!(due.to_string());
    fs::write(&file, schedules.to_string()).expect("written");

    let (watch, log) = start(&place, &["ps-lifecycle", "watch", "--all"], "watch.log");
    eventually("it runs", || match &place.running()[..] {
        [_] => Ok(()),
        other => Err(format!("{other:?} {}", said(&log))),
    });
    let before = place.containers();
    kill(&engine);
    eventually("the watch says so", || {
        let said = said(&log);
        if said.contains("docker.sock") { Ok(()) } else { Err(said) }
    });
    engine.start_again();
    eventually("the watch has heard how it ended", || {
        let schedules = said(&file);
        let is_heard = schedules.contains("last_exit") && !schedules.contains("owed");
        if is_heard { Ok(()) } else { Err(format!("{schedules} {}", said(&log))) }
    });
    assert_eq!((place.containers(), place.running()), (before, vec![]), "it is run once: {}", said(&log));
    drop(watch);
    place.does(&["ps-lifecycle", "destroy", "APP"], "destroy");
    assert_eq!(place.containers(), Vec::<String>::new());
}
