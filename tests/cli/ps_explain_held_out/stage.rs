//! A world with one app, `shop`, in which something is about to go wrong.

use std::any::Any;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::home::{Home, SOON, eventually, slot};
use crate::program::Ran;

pub(crate) const APP: &str = "shop";
/// A process that does nothing, for as long as it is left alone.
pub(crate) const QUIET: &str = "faultapp --tick 3600";

/// Files of an app: a path and what lies there. What lies in `bin` may be executed.
pub(crate) type Files = &'static [(&'static str, &'static str)];

pub(crate) struct Stage {
    /// What must stay until all is said, such as a listener.
    kept: RefCell<Vec<Box<dyn Any>>>,
    mounts: RefCell<Vec<PathBuf>>,
    /// What is to be explained: words behind the app's name.
    asked: RefCell<Vec<String>>,
    /// Variables of `ps-explain`.
    variables: RefCell<Vec<(String, String)>>,
    /// Variables of every program, `ps-explain` among them.
    of_all: RefCell<Vec<(String, String)>>,
    /// What makes it possible to destroy the app, when all is said.
    mended: RefCell<Vec<Box<dyn FnOnce()>>>,
    app: RefCell<String>,
    pub(crate) home: Home,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        fs::create_dir_all(home.path(APP)).expect("a directory");
        Self {
            kept: RefCell::default(),
            mounts: RefCell::default(),
            asked: RefCell::default(),
            variables: RefCell::default(),
            of_all: RefCell::default(),
            mended: RefCell::default(),
            app: RefCell::new(APP.to_owned()),
            home,
        }
    }

    // ---- What lies there.

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path(APP).join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        if !name.starts_with("bin/") {
            self.home.write(&format!("{APP}/{name}"), content);
            return;
        }
        // By another process: what we hold open for writing while another thread forks could not be run.
        let text = self.home.write(&format!("{APP}/text"), content);
        self.runs("install", &["-D", "-m", "755", &as_text(&text), &as_text(&self.path(name))]);
        fs::remove_file(text).expect("it was there");
    }

    pub(crate) fn files(&self, files: Files) {
        for (name, content) in files {
            self.file(name, content);
        }
    }

    pub(crate) fn keep(&self, what: impl Any) {
        self.kept.borrow_mut().push(Box::new(what));
    }

    /// A file system in memory with these options, at a directory of the app.
    pub(crate) fn mount(&self, name: &str, options: &str) {
        let place = self.path(name);
        fs::create_dir_all(&place).expect("a directory");
        self.runs("mount", &["-t", "tmpfs", "-o", options, "held-out", &as_text(&place)]);
        self.mounts.borrow_mut().push(place);
    }

    /// Runs a program of this machine in the app's directory; it must succeed.
    pub(crate) fn runs(&self, program: &str, words: &[&str]) {
        let ran = Command::new(program).args(words).current_dir(self.path("")).output();
        let ran = ran.expect("the program runs");
        assert!(ran.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    // ---- What is done to the app.

    pub(crate) fn procfile(&self, text: &str) {
        self.file("Procfile", text);
    }

    fn words(&self, verb: &str, words: &[&str]) -> Vec<String> {
        let program = if verb.starts_with("ps-") { vec![verb] } else { vec!["ps-lifecycle", verb] };
        let app = self.app.borrow();
        let all = program.into_iter().chain([app.as_str()]).chain(words.iter().copied());
        all.map(str::to_owned).collect()
    }

    /// A verb of `ps-lifecycle`, or a program, about the app; it may fail.
    pub(crate) fn tries(&self, verb: &str, words: &[&str]) -> Ran {
        crate::program::run(self.command(&self.words(verb, words)))
    }

    fn command(&self, words: &[String]) -> Command {
        let mut command = self.home.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(self.of_all.borrow().iter().map(|(name, value)| (name, value)));
        command
    }

    fn status(&self) -> Vec<Value> {
        let ran = self.tries("status", &["--json"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.rows()
    }

    /// The same; it must succeed.
    pub(crate) fn does(&self, verb: &str, words: &[&str]) {
        let ran = self.tries(verb, words);
        assert_eq!(ran.status, Some(0), "{verb} {words:?}: {ran:?}");
    }

    /// The same; it must fail.
    pub(crate) fn fails(&self, verb: &str, words: &[&str]) {
        let ran = self.tries(verb, words);
        assert!(ran.status != Some(0), "{verb} {words:?} should fail: {ran:?}");
    }

    fn deploy_words(&self, more: &[&str]) -> Vec<String> {
        ["--dir".to_owned(), as_text(&self.path(""))]
            .into_iter()
            .chain(more.iter().map(|word| (*word).to_owned()))
            .collect()
    }

    pub(crate) fn deploys(&self, more: &[&str]) {
        self.does("deploy", &self.deploy_words(more).iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(crate) fn fails_to_deploy(&self, more: &[&str]) {
        self.fails("deploy", &self.deploy_words(more).iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(crate) fn set(&self, property: &str, value: &str) {
        self.does("ps-set", &[property, value]);
    }

    /// The command is deployed with no instance of it; then the first one is started, is started again once, and is given up.
    pub(crate) fn crashes(&self, command: &str, settings: &[(&str, &str)]) {
        let ran = self.ends(command, settings);
        // What is refused before anything is started has no instance.
        if ran.status == Some(0) || !self.home.status(APP).is_empty() {
            self.until("web.1", &["crashed"]);
        }
    }

    /// The same for what need not be given up.
    pub(crate) fn ends(&self, command: &str, settings: &[(&str, &str)]) -> Ran {
        self.procfile(&format!("web: {command}\n"));
        self.deploys(&["--scale", "web=0"]);
        self.set("restart-policy", "on-failure:1");
        for (property, value) in settings {
            self.set(property, value);
        }
        // It ends before or after the verb has looked: both are right.
        self.tries("ps-scale", &["web=1"])
    }

    /// A deploy of an app that is there and has no instance yet; it fails.
    pub(crate) fn fails_when_deployed(&self, command: &str, more: &[&str]) {
        self.exists();
        self.procfile(&format!("web: {command}\n"));
        self.fails_to_deploy(&[&["--scale", "web=1"], more].concat());
    }

    /// There is an app, and no instance of it is wanted yet. What lies there else is not looked at.
    pub(crate) fn exists(&self) {
        let source = self.home.source("empty", &format!("web: {QUIET}\n"));
        self.does("deploy", &["--dir", &source, "--scale", "web=0"]);
    }

    /// Another release of the app is deployed, and is well; then this one is deployed, and is not.
    pub(crate) fn is_replaced_badly(&self, command: &str) {
        self.procfile(&format!("web: {QUIET}\n"));
        self.deploys(&[]);
        self.procfile(&format!("web: {command}\n"));
        self.fails_to_deploy(&[]);
    }

    // ---- What is seen of it.

    pub(crate) fn until(&self, name: &str, states: &[&str]) {
        self.until_row(name, |row| states.iter().any(|state| row["state"] == *state));
    }

    pub(crate) fn until_row(&self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        eventually("it has come to that", || {
            let rows = self.status();
            let row = rows.iter().find(|row| slot(row) == name).cloned().unwrap_or_default();
            if is_it(&row) { Ok(row) } else { Err(format!("{rows:?}")) }
        })
    }

    pub(crate) fn until_file(&self, name: &str) {
        eventually("the app has written it", || {
            if self.path(name).exists() { Ok(()) } else { Err(name.to_owned()) }
        });
    }

    pub(crate) fn pid(&self, name: &str) -> Pid {
        let row = self.until_row(name, |row| row["pid"].is_u64());
        let pid = row["pid"].as_u64().and_then(|pid| i32::try_from(pid).ok()).expect("a pid");
        Pid::from_raw(pid).expect("a pid")
    }

    /// A signal that Formation does not know of.
    pub(crate) fn signals(&self, name: &str, signal: Signal) {
        rustix::process::kill_process(self.pid(name), signal).expect("it lives");
    }

    // ---- What is said of it.

    pub(crate) fn about(&self, words: &[&str]) {
        *self.asked.borrow_mut() = words.iter().map(|word| (*word).to_owned()).collect();
    }

    pub(crate) fn of_app(&self, app: &str) {
        app.clone_into(&mut self.app.borrow_mut());
    }

    pub(crate) fn with(&self, name: &str, value: &str) {
        self.variables.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// A variable of all programs, from now on.
    pub(crate) fn everywhere(&self, name: &str, value: &str) {
        self.of_all.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// What has to be done before the app can be destroyed.
    pub(crate) fn afterwards(&self, act: impl FnOnce() + 'static) {
        self.mended.borrow_mut().push(Box::new(act));
    }

    pub(crate) fn explained(&self) -> Value {
        let asked = self.asked.borrow();
        let words: Vec<&str> = asked.iter().map(String::as_str).chain(["--json"]).collect();
        let words = self.words("ps-explain", &words);
        let mut command = self.command(&words);
        command.envs(self.variables.borrow().iter().map(|(name, value)| (name, value)));
        let ran = crate::program::run_within(command, SOON);
        if ran.status != Some(0) {
            // It refuses to explain anything. That is all it says then.
            return serde_json::json!({"cause": "refused", "situation": "", "reasons": [{"says": ran.stderr.trim()}]});
        }
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }
}

impl Drop for Stage {
    /// What was stopped goes on, so that it can be ended, and nothing holds the directory any more.
    fn drop(&mut self) {
        for act in self.mended.take() {
            act();
        }
        if !self.of_all.borrow().is_empty() && !std::thread::panicking() {
            self.tries("destroy", &[]);
            // The id of this world on a swarm, which no verb removes.
            let _ = fs::remove_dir_all(self.home.path("lib/config/scheduler-swarm"));
        }
        for (pid, _) in self.home.processes() {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, Signal::CONT);
        }
        for place in self.mounts.borrow().iter() {
            // At once, whoever has a file open there.
            let _ = Command::new("umount").arg("--lazy").arg(place).status();
        }
    }
}

pub(crate) fn as_text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}
