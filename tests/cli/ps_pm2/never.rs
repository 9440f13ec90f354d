//! What pm2 0.7.2 did wrong and nobody wants back. A signal to what does not run, a script that is gone and a version that fails are with
//! their verbs.

use std::fs;
use std::process::Command;

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
