//! What a declaration asks of the supervisor, seen from outside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::home::{Home, eventually, lives};

/// Declares one app, and starts it.
fn start(home: &Home, declaration: &str) {
    fs::write(home.app("one.json"), declaration).expect("a file");
    home.done(&["start", "one.json"]);
}

fn has_another_pid(home: &Home, before: u64) -> Result<(), String> {
    let now = home.one(0);
    if now["pid"] != before && now["pid"] != 0 { Ok(()) } else { Err(now.to_string()) }
}

#[test]
fn an_app_that_uses_too_much_memory_is_started_anew() {
    let home = Home::new();
    let script = "const fs = require('fs');
        if (!fs.existsSync('seen')) { fs.writeFileSync('seen', ''); global.much = Buffer.alloc(200 << 20, 1); }
        setInterval(function () {}, 1000);";
    fs::write(home.app("big.js"), script).expect("a script");
    start(&home, r#"{"script": "big.js", "max_memory_restart": "150M"}"#);
    let before = home.pid(0);
    eventually(|| has_another_pid(&home, before));
}

#[test]
fn a_changed_file_starts_an_app_anew_unless_it_is_ignored() {
    let home = Home::new();
    start(&home, r#"{"script": "tick.js", "watch": true, "ignore_watch": ["cache"]}"#);
    let before = home.pid(0);
    fs::create_dir(home.app("cache")).expect("a directory");
    fs::write(home.app("cache/x"), "x").expect("a file");
    eventually(|| {
        // Whoever watches may not have begun yet.
        fs::write(home.app("page.html"), "x").expect("a file");
        has_another_pid(&home, before)
    });
}

#[test]
fn a_schedule_starts_an_app_anew() {
    let home = Home::new();
    // This is no name that an app of ours could have.
    start(&home, r#"{"name": "Api UP", "script": "tick.js", "cron_restart": "* * * * *"}"#);
    let (before, begin) = (home.pid(0), Instant::now());
    // The next minute, and what a busy machine takes.
    while let Err(last) = has_another_pid(&home, before) {
        assert!(begin.elapsed() < Duration::from_secs(150), "{last}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn an_app_runs_as_the_user_that_it_names_and_an_unknown_one_is_refused() {
    let home = Home::new();
    fs::write(home.app("odd.json"), r#"{"script": "say.sh", "uid": "nosuchuser"}"#).expect("a file");
    let ran = home.say(&["start", "odd.json"]);
    assert!(ran.status == 1 && ran.stderr.contains("no user nosuchuser"), "{ran:?}");
    if !rustix::process::geteuid().is_root() {
        return skipped::skip("only root can run an app as somebody else");
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    start(&home, r#"{"script": "tick.js", "uid": "65534", "gid": "65534"}"#);
    let status = fs::read_to_string(format!("/proc/{}/status", home.pid(0))).expect("it lives");
    let ids = |name: &str| status.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    assert_eq!(ids("Uid:").as_deref(), Some("Uid:\t65534\t65534\t65534\t65534"));
    assert_eq!(ids("Gid:").as_deref(), Some("Gid:\t65534\t65534\t65534\t65534"));
    home.log("tick.js-out-0.log", |text| text.contains("tick"));
}

/// Has a command stay in the foreground, and ends it by SIGTERM once `is_there` has found what it prints.
fn stay(home: &Home, words: &[&str], is_there: impl Fn(&str) -> bool) {
    let words = home.command(words);
    let mut command = Command::new(words.get_program());
    command
        .args(words.get_args())
        .current_dir(home.app(""))
        .env("HOME", home.path())
        .env("PWD", home.app(""));
    command.env_remove("PM2_HOME").stdout(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("PM2 dameon PID = ")));
    assert!(lines.any(|line| is_there(&line)));
    let own = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(own, rustix::process::Signal::TERM).expect("signalled");
    lines.for_each(drop);
    assert!(child.wait().expect("it is ours").success());
}

#[test]
fn with_no_daemon_the_command_stays_and_its_end_is_that_of_the_apps_that_it_has_started() {
    let home = Home::new();
    let is_note = |line: &str| line.starts_with("[0 ") && line.ends_with("/tick.js - id0 worker online");
    stay(&home, &["start", "tick.js", "--no-daemon"], is_note);
    assert!(home.list().is_empty(), "nothing ran before");

    // Every command that prints the table stays, and begins with what was noted before.
    home.done(&["start", "tick.js"]);
    let pid = home.pid(0);
    stay(&home, &["list", "--no-daemon"], is_note);
    assert!(lives(pid) && home.pid(0) == pid);
    stay(&home, &["start", "say.sh", "-i", "2", "--no-daemon"], |line| {
        line.ends_with("/say.sh - id2 worker online")
    });
    assert!(home.list().len() == 1 && home.pid(0) == pid, "it ran before");
}
