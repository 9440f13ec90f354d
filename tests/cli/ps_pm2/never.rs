//! What pm2 0.7.2 did wrong and nobody wants back. A signal to what does not run, a script that is gone and a version that fails are with
//! their verbs.

use std::fs;
use std::process::{Command, Stdio};

use crate::home::{Home, eventually};

#[test]
fn the_stop_of_an_errored_app_leaves_the_lists_whole() {
    let home = Home::new();
    home.done(&["start", "early.sh"]);
    eventually(|| match home.status(0).as_str() {
        "errored" => Ok(()),
        other => Err(other.to_owned()),
    });
    home.done(&["stop", "0"]);
    for words in [&["list"][..], &["list", "-m"], &["jlist"], &["prettylist"]] {
        home.done(words);
    }
}

#[test]
fn what_a_shell_puts_into_a_variable_ends_although_apps_run_on() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_ps-pm2");
    let line = format!("x=$({program} ping) && y=$({program} start tick.js) && echo \"$x\"");
    let ran = Command::new("sh")
        .args(["-c", &line])
        .current_dir(home.app(""))
        .env("HOME", home.path())
        .env_remove("PM2_HOME")
        .output()
        .expect("sh runs");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "{ msg: 'pong' }\n");
    assert_eq!(home.status(0), "online");
}

#[test]
fn the_first_command_of_a_new_home_works_each_time() {
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 100 } else { 5 };
    for _ in 0..times {
        let home = Home::new();
        home.done(&["start", "say.sh"]);
        assert_eq!(home.status(0), "online");
    }
}

/// The program itself, without a deadline, so that it can be waited for or killed.
fn program(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ps-pm2"));
    command.args(words).current_dir(home.app("")).env("HOME", home.path()).env("PWD", home.app(""));
    command.env_remove("PM2_HOME").stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn two_first_commands_of_a_new_home_at_once_both_work() {
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 100 } else { 5 };
    for _ in 0..times {
        let home = Home::new();
        let begin =
            |name| program(&home, &["start", "say.sh", "--name", name, "-f"]).spawn().expect("it starts");
        for mut child in [begin("one"), begin("two")] {
            assert!(child.wait().expect("it ends").success());
        }
        let list = home.list();
        let mut names: Vec<&str> = list.iter().map(|one| one["name"].as_str().expect("a name")).collect();
        names.sort_unstable();
        assert_eq!(names, ["one", "two"]);
        let ids: Vec<&serde_json::Value> = list.iter().map(|one| &one["pm_id"]).collect();
        assert_ne!(ids[0], ids[1]);
        home.done(&["kill"]);
    }
}

/// Wherever a start is killed, the next commands work, and nothing that it has begun is left once everything was ended.
#[test]
fn a_start_that_is_killed_in_its_middle_harms_no_later_command() {
    for place in [
        "",
        "formation",
        "formation/lib/config",
        "formation/lib/data/scheduler-native/say.sh",
        "pids/say.sh.pid0.pid",
    ] {
        let home = Home::new();
        let mut child = program(&home, &["start", "say.sh", "-i", "4", "-x"]).spawn().expect("it starts");
        let file = home.pm2(place);
        while !file.exists() && child.try_wait().expect("it is ours").is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
        child.wait().expect("it ends");
        home.done(&["list"]);
        home.done(&["start", "tick.js"]);
        let online = home
            .list()
            .iter()
            .filter(|one| one["name"] == "tick" && one["pm2_env"]["status"] == "online")
            .count();
        assert_eq!(online, 1, "{place}");
        home.done(&["kill"]);
        assert_eq!(home.list(), [serde_json::Value::Null; 0], "{place}");
        let mark = format!("HOME={}\0", home.path().display()).into_bytes();
        eventually(|| {
            let is_ours = |pid: &std::path::PathBuf| {
                let variables = fs::read(pid.join("environ")).unwrap_or_default();
                variables.windows(mark.len()).any(|window| window == mark)
            };
            let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
            let left: Vec<String> = all.filter(is_ours).map(|pid| pid.display().to_string()).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{place}: {left:?}")) }
        });
    }
}

#[test]
fn a_log_that_cannot_be_written_harms_no_other_app() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let pid = home.pid(0);
    fs::create_dir(home.app("log")).expect("a directory");
    let ran = home.say(&["start", "say.sh", "-o", "log"]);
    assert!(ran.status == 1 && ran.stderr.contains("no log can be written there"), "{ran:?}");
    assert_eq!((home.pid(0), home.list().len()), (pid, 1));
}

#[test]
fn names_are_found_by_an_expression_and_an_update_restarts_nothing() {
    let home = Home::new();
    for name in ["api-1", "api-2", "worker"] {
        home.done(&["start", "tick.js", "-f", "--name", name]);
    }
    let worker = home.pid(2);
    home.done(&["stop", "/^api-/"]);
    assert_eq!([0, 1, 2].map(|id| home.status(id)), ["stopped", "stopped", "online"]);
    let ran = home.say(&["stop", "/(/"]);
    assert!(ran.status == 1 && ran.stderr.contains("no regular expression"), "{ran:?}");
    home.done(&["update"]);
    assert_eq!((home.pid(2), home.status(0).as_str()), (worker, "stopped"));
}
