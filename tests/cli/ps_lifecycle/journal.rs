//! What happened to an app stands in its journal: who asked for what, what was planned and done, how it ended. No value of
//! the environment stands there, and a journal that cannot be written stops nobody.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::home::Home;

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";
const SECRET: &str = "hunter-two-and-a-half";

fn events(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("a journal");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// Each event in a few words.
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
    events(home).iter().map(word).collect()
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
    let acts: Vec<&Value> = events[..4].iter().map(|event| &event["act"]).collect();
    assert!(acts.iter().all(|act| *act == acts[0]) && events[4]["act"] != *acts[0], "{acts:?}");
    let refused = events.last().expect("events");
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
    let last = events(&home).pop().expect("events");
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
