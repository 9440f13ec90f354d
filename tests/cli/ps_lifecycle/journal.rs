//! What happened to an app stands in its journal: who asked for what, what was planned and done, how it ended. No value of
//! the environment stands there, and a journal that cannot be written stops nobody.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::home::{Home, eventually};

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";
const SECRET: &str = "hunter-two-and-a-half";

fn events(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("a journal");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// Each event in a few words, without the steps in the lives of instances, which their supervisor writes in its own time.
fn told(home: &Home) -> Vec<String> {
    let word = |event: &Value| match event["event"].as_str().expect("a word") {
        "asked" => format!("asked {}", event["verb"].as_str().expect("a verb")),
        "ended" => format!(
            "ended {} {}",
            event["verb"].as_str().expect("a verb"),
            event["outcome"].as_str().expect("a word")
        ),
        changes => format!("{changes} {}", event["changes"][0]["slots"].as_str().unwrap_or_default()),
    };
    events(home).iter().filter(|event| event["event"] != "instance").map(word).collect()
}

#[test]
fn each_verb_says_who_asked_what_was_planned_and_how_it_ended() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.does(&["ps-lifecycle", "start", "shop"]);
    home.does(&["ps-lifecycle", "restart", "shop", "web.1"]);
    home.does(&["ps-scale", "shop", "web=3"]);
    home.refuses(&["ps-lifecycle", "stop", "shop", "web.7"], 1, &["web.7"]);
    // Whoever only looks is not in it.
    home.does(&["ps-lifecycle", "status", "shop"]);
    home.does(&["ps-scale", "shop"]);
    let expected = [
        ["asked deploy", "planned web.1-2", "done web.1-2", "ended deploy done"].as_slice(),
        &["asked stop", "ended stop done"],
        &["asked start", "planned web.1-2", "done web.1-2", "ended start done"],
        &["asked restart", "planned web.2", "done web.2", "ended restart done"],
        &[
            "asked scale",
            "asked converge",
            "planned web.1-2",
            "done web.1-2",
            "ended converge done",
            "ended scale done",
        ],
        &["asked stop", "ended stop failed"],
    ];
    assert_eq!(told(&home), expected.concat());
    let events = events(&home);
    let asked = &events[0];
    assert_eq!(asked["arguments"][4], "--scale");
    assert_eq!(asked["arguments"][5], "web=2");
    assert_eq!(asked["format"], 1);
    assert!(asked["user"].is_string() && asked["boot"].is_string() && asked["at"].is_string(), "{asked}");
    assert!(
        events.windows(2).all(|pair| pair[0]["monotonic_ms"].as_u64() <= pair[1]["monotonic_ms"].as_u64())
    );
    let of_verbs = events.iter().filter(|event| event["event"] != "instance");
    let acts: Vec<&Value> = of_verbs.take(5).map(|event| &event["act"]).collect();
    assert!(acts[..4].iter().all(|act| *act == acts[0]) && acts[4] != acts[0], "{acts:?}");
    let refused = events.iter().rfind(|event| event["event"] == "ended").expect("events");
    assert!(refused["error"].as_str().expect("a reason").contains("web.7"), "{refused}");
    let mode =
        fs::metadata(home.path("lib/data/formation/shop/journal")).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn no_value_of_the_environment_is_in_the_journal_or_in_a_release_though_the_app_prints_it() {
    let home = Home::new();
    let environment = home.write("secrets.env", &format!("SECRET={SECRET}\n"));
    let environment = environment.to_str().expect("text");
    let source = home.source("shop", "web: echo \"the secret is $SECRET\" >&2; exit 1\n");
    let sound = home.source("sound", "web: faultapp --tick 60\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &sound, "--env-file", environment]);
    let failed = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert!(failed.status == Some(1) && failed.stderr.contains(SECRET), "the app printed it: {failed:?}");
    let command = format!("SECRET={SECRET} faultapp --tick 60");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &sound, "--command", &command]);
    let journal = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("a journal");
    assert!(!journal.contains(SECRET), "{journal}");
    assert!(journal.contains("SECRET=[redacted]"), "{journal}");
    let release =
        fs::read_to_string(home.path("lib/data/formation/shop/releases/1.json")).expect("a release");
    assert!(!release.contains(SECRET), "{release}");
}

#[test]
fn a_deploy_that_fails_says_why_and_keeps_no_release() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    let broken = home.source("broken", "web: exit 3\n");
    assert_eq!(home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &broken]).status, Some(1));
    let last = events(&home).into_iter().rfind(|event| event["event"] == "ended").expect("events");
    assert_eq!((&last["event"], &last["outcome"]), (&"ended".into(), &"failed".into()));
    assert!(last["error"].as_str().expect("a reason").contains("web.1"), "{last}");
    let releases = home.path("lib/data/formation/shop/releases");
    assert!(releases.join("1.json").is_file() && !releases.join("2.json").exists());
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert!(!releases.join("2.json").exists(), "a restart is no release");
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    assert!(releases.join("2.json").is_file(), "the same source again is one");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    assert!(!home.path("lib/data/formation/shop").exists());
}

#[test]
fn a_journal_that_cannot_be_written_is_said_once_and_stops_nobody() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    let journal = home.path("lib/data/formation/shop/journal");
    fs::remove_file(&journal).and_then(|()| fs::create_dir(&journal)).expect("a directory in its place");
    let ran = home.run(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(ran.stderr.matches("the journal of shop lacks what is done now").count(), 1, "{ran:?}");
    assert!(ran.stderr.contains(journal.to_str().expect("text")), "{ran:?}");
    fs::remove_dir(&journal).expect("it is empty");
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(told(&home).last().map(String::as_str), Some("ended restart done"));
}

#[test]
fn an_app_that_never_was_leaves_no_journal() {
    let home = Home::new();
    let broken = home.source("broken", "web: exit 3\n");
    home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &broken], 1, &["web.1"]);
    home.refuses(&["ps-lifecycle", "stop", "shop"], 20, &["shop"]);
    assert!(!home.path("lib/data/formation/shop").exists());
}

/// What stands in the journal of the lives of instances: `web.1 exit`.
fn lives(home: &Home) -> Vec<Value> {
    events(home).into_iter().filter(|event| event["event"] == "instance").collect()
}

fn steps(lives: &[Value]) -> Vec<&str> {
    lives.iter().filter_map(|life| life["step"].as_str()).collect()
}

#[test]
fn each_step_in_the_life_of_an_instance_stands_there_with_whose_signal_it_was() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    kill(&home);
    let killed = eventually("it was killed and is started again", || {
        let lives = lives(&home);
        if steps(&lives).iter().filter(|step| **step == "start").count() == 2 {
            Ok(lives)
        } else {
            Err(format!("{lives:?}"))
        }
    });
    let exit = killed.iter().find(|life| life["step"] == "exit").expect("it ended");
    assert_eq!((&exit["exit"]["signal"], &exit["cause"]), (&9.into(), &"signal".into()), "{exit}");
    assert!(exit["lived_ms"].is_u64() && exit["run"].is_u64() && exit["slot"] == "web.1", "{exit}");
    let again = killed.iter().find(|life| life["step"] == "backoff").expect("it is started again");
    assert_eq!((&again["deaths"], again["delay_ms"].is_u64()), (&1.into(), true), "{again}");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let stopped = eventually("the end by hand stands there", || {
        let last = lives(&home).pop().expect("lives");
        if last["cause"] == "asked" { Ok(last) } else { Err(last.to_string()) }
    });
    assert_eq!(stopped["step"], "exit", "{stopped}");
}

#[test]
fn a_crash_loop_is_given_up_within_a_few_lines() {
    let home = Home::new();
    let source = home.source("shop", "web: if [ -f bad ]; then exit 3; fi; exec faultapp --tick 60\n");
    let settings =
        r#"{"restart_policy": "on-failure:40", "restart_delay": "1ms", "restart_delay_max": "1ms"}"#;
    home.write("shop/app.json", &format!(r#"{{"formation": {{"web": {settings}}}}}"#));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.write("shop/bad", "");
    kill(&home);
    let lives = eventually("it is given up", || {
        let lives = lives(&home);
        if steps(&lives).contains(&"crashed") { Ok(lives) } else { Err(format!("{lives:?}")) }
    });
    assert!((20..=25).contains(&lives.len()), "{lives:#?}");
    let crashed = lives.iter().find(|life| life["step"] == "crashed").expect("it is there");
    assert!(crashed["left_out"].as_u64() > Some(50) && crashed["deaths"] == 41, "{crashed}");
    let said = home.does(&["ps-lifecycle", "events", "shop"]);
    assert!(said.contains("given up, after ending 41 times in a row"), "{said}");
}

/// Somebody else kills web.1.
fn kill(home: &Home) {
    let pid = i32::try_from(home.pids("shop")["web.1"]).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL).expect("ours");
}
