//! What options and files say anew about apps that exist.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::home::{Home, eventually};

fn kill(pid: u64) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
}

fn has_status(home: &Home, wanted: &str) -> Result<(), String> {
    let status = home.status(0);
    if status == wanted { Ok(()) } else { Err(status) }
}

fn is_started_anew(home: &Home, before: u64) -> Result<(), String> {
    let now = home.pid(0);
    if now != before && now != 0 { Ok(()) } else { Err(format!("{before} then, {now} now")) }
}

#[test]
fn options_of_a_restart_and_a_reload_are_those_of_the_app_from_then_on() {
    let home = Home::new();
    home.done(&["start", "say.sh", "--name", "api", "--", "one"]);
    let said = ["restart", "api", "--name", "api2", "--kill-timeout", "1500", "-i", "2", "--", "two words"];
    let ran = home.say(&said);
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{ran:?}");
    let all = home.list();
    let names: Vec<&Value> = all.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["api2", "api2"]);
    assert_eq!(
        (&all[0]["pm2_env"]["kill_timeout"], &all[0]["pm2_env"]["instances"]),
        (&"1500".into(), &2.into())
    );
    // The files keep their names, as in pm2.
    home.log("api-out-0.log", |text| text.contains("args: two words\n"));
    home.done(&["reload", "api2", "--no-autorestart"]);
    home.done(&["dump"]);
    kill(home.pid(0));
    eventually(|| has_status(&home, "stopped"));
    assert_eq!(home.one(0)["pm2_env"]["kill_timeout"], "1500", "what was said before holds on");
    home.done(&["delete", "all"]);
    home.done(&["resurrect"]);
    let all = home.list();
    assert_eq!((all.len(), &all[0]["name"]), (2, &"api2".into()));
    assert_eq!(all[0]["pm2_env"]["autorestart"], false);
}

#[test]
fn an_option_about_restarts_or_files_has_an_effect_on_an_app_that_exists() {
    let home = Home::new();
    home.done(&["start", "say.sh", "--name", "api", "--no-autorestart"]);
    kill(home.pid(0));
    eventually(|| has_status(&home, "stopped"));
    home.done(&["start", "api", "--watch"]);
    let before = home.pid(0);
    eventually(|| {
        // Whoever watches may not have begun yet.
        fs::write(home.app("page.html"), "x").expect("a file");
        is_started_anew(&home, before)
    });
    // What runs is restarted with what is said of it.
    let before = home.pid(0);
    home.done(&["start", "api", "--name", "web"]);
    assert_ne!(home.pid(0), before);
    assert_eq!(home.one(0)["name"], "web");
}

#[test]
fn an_option_restarts_no_instance_that_is_not_meant() {
    let home = Home::new();
    home.done(&["start", "say.sh", "-i", "2"]);
    let before = [home.pid(0), home.pid(1)];
    home.done(&["restart", "0", "--max-memory-restart", "300M", "--restart-delay", "50"]);
    let now = [home.pid(0), home.pid(1)];
    assert!(now[0] != before[0] && now[1] == before[1], "{before:?} then, {now:?} now");
    // It has what was said all the same.
    kill(now[1]);
    eventually(|| {
        let pid = home.pid(1);
        if pid != 0 && pid != now[1] { Ok(()) } else { Err(pid.to_string()) }
    });
    assert_eq!(home.one(1)["pm2_env"]["restart_delay"], "50");
}

#[test]
fn what_is_said_wrongly_of_an_app_that_exists_changes_nothing() {
    let home = Home::new();
    home.done(&["start", "two.json"]);
    let before = home.list();
    for (words, said) in [
        (&["restart", "all", "--name", "x"][..], "--name: one app is wanted, and 2 are meant"),
        (
            &["restart", "one", "--max-memory-restart", "300"],
            "300 is less than any process needs: is 300M meant?",
        ),
        (&["reload", "one", "--cron", "99 * * * *"], "one"),
        (&["restart", "other", "--cwd", "nowhere"], "nowhere"),
        (&["start", "one", "--uid", "nobody-of-this-name"], "nobody-of-this-name"),
    ] {
        let ran = home.say(words);
        assert!(ran.status == 1 && ran.stderr.contains(said), "{words:?}: {ran:?}");
        let now = home.list();
        for (then, now) in before.iter().zip(&now) {
            let keys = |one: &Value| (one["pid"].clone(), one["pm2_env"].clone());
            assert_eq!(keys(then), keys(now), "{words:?}");
        }
    }
}

#[test]
fn options_are_about_each_app_of_a_file() {
    let home = Home::new();
    let ran = home.say(&["start", "two.json", "-i", "2", "--name", "x", "--restart-delay", "100"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("--name has no effect on the apps of two.json"), "{ran:?}");
    let all = home.list();
    let names: Vec<&Value> = all.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["one", "one", "other", "other"]);
    assert!(all.iter().all(|one| one["pm2_env"]["restart_delay"] == "100"), "{all:?}");
}

#[test]
fn settings_of_a_version_that_is_not_taken_over_are_not_either() {
    let home = Home::new();
    let declare = |script: &str, restarts: bool| {
        let text = format!(r#"{{"name":"api","script":"{script}","autorestart":{restarts}}}"#);
        fs::write(home.app("api.json"), text).expect("a file");
    };
    declare("say.sh", false);
    home.done(&["start", "api.json"]);
    let before = home.pid(0);
    declare("early.sh", true);
    let ran = home.say(&["reload", "api.json"]);
    assert!(ran.status == 1 && ran.stderr.contains("runs on as it was"), "{ran:?}");
    assert_eq!((home.pid(0), &home.one(0)["pm2_env"]["autorestart"]), (before, &Value::Bool(false)));
    kill(before);
    eventually(|| has_status(&home, "stopped"));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(home.status(0), "stopped");
    // What a file says of a stopped app is read when it is started.
    declare("say.sh", true);
    home.done(&["start", "api.json"]);
    let before = home.pid(0);
    kill(before);
    eventually(|| is_started_anew(&home, before));
}
