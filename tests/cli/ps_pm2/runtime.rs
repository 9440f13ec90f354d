//! The names of a container and of development: `pm2-runtime` and `pm2-dev`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};

use crate::home::{Home, eventually, lives};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ps-pm2");

/// One of these names in the foreground, with its output in files. It is ended with the test.
struct Runtime {
    home: Home,
    child: Child,
}

impl Runtime {
    fn start(name: &str, files: &[(&str, &str)], words: &[&str], before: &[&str]) -> Self {
        let home = Home::new();
        for (file, text) in files {
            fs::write(home.app(file), text).expect("a file");
        }
        let link = home.path().join(name);
        symlink(PROGRAM, &link).expect("a link");
        let mut line: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
        line.push(link.display().to_string());
        line.extend(words.iter().map(|word| (*word).to_owned()));
        let output = |file: &str| File::create(home.path().join(file)).expect("a file");
        let child = Command::new(&line[0])
            .args(&line[1..])
            .current_dir(home.app(""))
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", std::env::var("PATH").expect("a PATH"))
            .stdin(Stdio::null())
            .stdout(output("out"))
            .stderr(output("err"))
            .spawn()
            .expect("it runs");
        Self { home, child }
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.home.path().join(file)).unwrap_or_default()
    }

    /// Waits until a stream has a text.
    fn hears(&mut self, file: &str, text: &str) {
        eventually(|| {
            let ended = self.child.try_wait().expect("it is ours");
            let (out, err) = (self.text("out"), self.text("err"));
            let there = if file == "out" { &out } else { &err };
            if there.contains(text) { Ok(()) } else { Err(format!("{text}: {ended:?} {out} {err}")) }
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// The status with which it ends.
    fn ends(&mut self) -> Option<i32> {
        eventually(|| match self.child.try_wait().expect("it is ours") {
            Some(status) => Ok(status.code()),
            None => Err(format!("it runs: {} {}", self.text("out"), self.text("err"))),
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A test that failed may have left apps there.
        let dev = self.home.path().join(".pm2-dev");
        if dev.exists() {
            let _ = self.home.command(&["kill"]).env("PM2_HOME", dev).output();
        }
    }
}

const ECOSYSTEM: &str =
    "module.exports = {apps: [{name: 'js', script: 'talk.js'}, {name: 'sh', script: 'talk.sh'}]};\n";
const TALK_JS: &str = "console.log('js says'); console.error('js complains');
    process.on('SIGUSR2', () => console.log('js hears USR2'));
    process.on('SIGTERM', () => { console.log('js leaves'); process.exit(0); });
    setInterval(() => {}, 1000);\n";
const TALK_SH: &str = "#!/bin/sh\ntrap 'echo sh hears USR2' USR2\ntrap 'echo sh leaves; exit 0' TERM\necho sh says\necho sh complains >&2\nwhile :; do sleep 0.1; done\n";
const TALKERS: [(&str, &str); 3] =
    [("ecosystem.config.js", ECOSYSTEM), ("talk.js", TALK_JS), ("talk.sh", TALK_SH)];

#[test]
fn a_runtime_stays_and_passes_on_streams_and_signals_and_ends_its_apps() {
    let mut runtime = Runtime::start("pm2-runtime", &TALKERS, &["ecosystem.config.js"], &[]);
    for app in ["js", "sh"] {
        runtime.hears("out", &format!("{app} says\n"));
        runtime.hears("err", &format!("{app} complains\n"));
    }
    assert!(!runtime.text("out").contains("complains") && !runtime.text("out").contains('│'));
    let pids: Vec<u64> = [0, 1].map(|id| runtime.home.pid(id)).to_vec();
    runtime.signal(Signal::USR2);
    runtime.hears("out", "js hears USR2\n");
    runtime.hears("out", "sh hears USR2\n");
    runtime.signal(Signal::TERM);
    assert_eq!(runtime.ends(), Some(0), "{}", runtime.text("err"));
    runtime.hears("out", "js leaves\n");
    runtime.hears("out", "sh leaves\n");
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert_eq!(runtime.home.done(&["jlist"]), "[]\n");
    // What is written goes to the streams alone.
    let logs = fs::read_dir(runtime.home.pm2("logs")).expect("there").count();
    assert_eq!(logs, 0);
}

#[test]
fn a_runtime_ends_with_its_last_app_unless_it_is_to_stay() {
    let once = [("once.sh", "#!/bin/sh\necho done\nexit 0\n")];
    let words = ["start", "once.sh", "--no-autorestart"];
    let mut runtime = Runtime::start("pm2-runtime", &once, &words, &[]);
    runtime.hears("out", "done\n");
    assert_eq!(runtime.ends(), Some(2));
    assert!(runtime.text("err").contains("no app runs any more"), "{}", runtime.text("err"));

    let mut words = words.to_vec();
    words.push("--no-auto-exit");
    let mut runtime = Runtime::start("pm2-runtime", &once, &words, &[]);
    runtime.hears("out", "done\n");
    eventually(|| match runtime.home.status(0).as_str() {
        "stopped" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert!(runtime.child.try_wait().expect("it is ours").is_none());
    runtime.signal(Signal::INT);
    assert_eq!(runtime.ends(), Some(0));
}

#[test]
fn a_runtime_that_cannot_start_its_app_says_so_and_ends() {
    let mut runtime = Runtime::start("pm2-runtime", &[], &["nothere.js"], &[]);
    assert_eq!(runtime.ends(), Some(1));
    assert!(runtime.text("err").contains("script not found : "), "{}", runtime.text("err"));
}

#[test]
fn a_runtime_does_not_touch_what_runs_already() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let pid = home.pid(0);
    let link = home.path().join("pm2-runtime");
    symlink(PROGRAM, &link).expect("a link");
    let ran = Command::new(&link)
        .arg("say.sh")
        .current_dir(home.app(""))
        .env("HOME", home.path())
        .env_remove("PM2_HOME")
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(1) && told.contains("tick runs in "), "{told}");
    assert!(lives(pid) && home.pid(0) == pid);
}

#[test]
fn lines_are_json_where_that_is_asked_for() {
    let mut runtime = Runtime::start("pm2-runtime", &TALKERS, &["talk.sh", "--json"], &[]);
    runtime.hears("out", "\"message\":\"sh says\"");
    runtime.hears("err", "\"message\":\"sh complains\"");
    let line = runtime.text("out").lines().next().expect("a line").to_owned();
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((line["app_name"].as_str(), line["type"].as_str()), (Some("talk.sh"), Some("out")));
    runtime.signal(Signal::TERM);
    assert_eq!(runtime.ends(), Some(0));
    runtime.hears("out", "\"message\":\"sh leaves\"");
}

#[test]
fn as_process_1_a_runtime_leaves_no_zombies_and_ends_everything() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("a pid namespace needs root");
        return;
    }
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    // Its children outlive it, so that they become those of process 1.
    let parent = "#!/bin/sh\necho \"I am below $PPID\"\nwhile :; do (sleep 0.05 &); sleep 0.1\n\
        echo \"zombies: $(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l) after $((n=n+1))\"\ndone\n";
    let mut runtime = Runtime::start("pm2-runtime", &[("parent.sh", parent)], &["parent.sh"], &unshare);
    runtime.hears("out", " after 40\n");
    let out = runtime.text("out");
    let counts = out
        .lines()
        .filter_map(|line| line.strip_prefix("zombies: ")?.split(' ').next()?.parse::<usize>().ok());
    // Each is there for a moment: without a parent that waits for them they would be 40 by now.
    let counts: Vec<usize> = counts.collect();
    assert!(counts.last().is_some_and(|last| *last < 10), "{counts:?}");
    // The signal goes to unshare's child, which is process 1 of the namespace.
    let below = os_process::children(runtime.child.id()).expect("it is there");
    let init = Pid::from_raw(i32::try_from(below[0]).expect("a pid")).expect("a pid");
    rustix::process::kill_process(init, Signal::TERM).expect("it is there");
    assert_eq!(runtime.ends(), Some(0), "{}", runtime.text("err"));
}

#[test]
fn a_session_of_development_restarts_what_changes_and_has_a_home_of_its_own() {
    let apps = r#"{"apps": [{"name": "dev", "script": "dev.sh"}]}"#;
    let script = "#!/bin/sh\necho \"version $(cat version)\"\nwhile :; do sleep 0.1; done\n";
    let files = [("dev.sh", script), ("version", "one"), ("notes", ""), ("apps.json", apps)];
    let mut dev = Runtime::start("pm2-dev", &files, &["apps.json", "--ignore", "notes"], &[]);
    dev.hears("out", "version one");
    assert_eq!(dev.home.done(&["jlist"]), "[]\n", "its apps are not those of pm2");
    fs::write(dev.home.app("version"), "two").expect("written");
    dev.hears("out", "version two");
    let home = dev.home.path().join(".pm2-dev");
    let list = dev.home.command(&["jlist"]).env("PM2_HOME", home).output().expect("it runs");
    assert!(String::from_utf8_lossy(&list.stdout).contains("\"name\":\"dev\""), "{list:?}");
    dev.signal(Signal::INT);
    assert_eq!(dev.ends(), Some(0));
}
