//! A HOME for each test, with scripts in `app`. What a test leaves running ends with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Plain;
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{DEADLINE, Ran, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ps-pm2");
/// Our own fixtures: what a script is called, and what stands in it.
const SCRIPTS: [(&str, &str); 7] = [
    ("tick.js", "setInterval(function () { console.log('tick'); }, 100);\n"),
    ("say.sh", "#!/bin/sh\necho \"args: $*\"\nenv | sort\nwhile :; do sleep 1; done\n"),
    ("early.sh", "#!/bin/sh\necho early\nexit 1\n"),
    ("deaf.sh", "#!/bin/sh\ntrap '' TERM\necho deaf\nwhile :; do sleep 0.1; done\n"),
    (
        "signal.js",
        "process.on('SIGUSR2', function () { console.log('USR2'); });\nconsole.log('up');\nsetInterval(function () {}, 1000);\n",
    ),
    (
        "two.json",
        "[{\"name\":\"one\",\"script\":\"tick.js\",\"instances\":\"2\"},{\"name\":\"other\",\"script\":\"./say.sh\",\"args\":\"['-a b', '-c']\",\"env\":{\"COLOUR\":\"blue\"}}]\n",
    ),
    ("broken.json", "{\"name\":\"x\",\n"),
];

pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self(TempDir::new().expect("a temporary directory"));
        fs::create_dir(home.app("")).expect("a directory");
        for (name, text) in SCRIPTS {
            fs::write(home.app(name), text).expect("a script");
        }
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in the directory that commands are called in.
    pub(crate) fn app(&self, name: &str) -> PathBuf {
        self.path().join("app").join(name)
    }

    /// A file in `.pm2`.
    pub(crate) fn pm2(&self, name: &str) -> PathBuf {
        self.path().join(".pm2").join(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).current_dir(self.app("")).timeout(DEADLINE).env_clear();
        command
            .env("HOME", self.path())
            .env("PWD", self.app(""))
            .env("PATH", std::env::var("PATH").expect("a PATH"));
        command
    }

    /// What another program prints, which lies beside this one.
    pub(crate) fn other(&self, program: &str, words: &[&str]) -> String {
        let program = Path::new(PROGRAM).with_file_name(program);
        let mut command = Plain::new(&program);
        command.args(words).current_dir(self.app("")).env("HOME", self.path());
        for name in ["PM2_HOME", "XDG_STATE_HOME", "DOKKU_ROOT", "DOKKU_LIB_ROOT"] {
            command.env_remove(name);
        }
        let ran = command.output().expect("it lies there");
        assert!(ran.status.success(), "{words:?}: {ran:?}");
        String::from_utf8(ran.stdout).expect("text")
    }

    /// Runs the program to its end.
    pub(crate) fn say(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// The same, which succeeds.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let ran = self.say(words);
        assert_eq!(ran.status, 0, "{words:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// What `jlist` says.
    pub(crate) fn list(&self) -> Vec<Value> {
        serde_json::from_str(&self.done(&["jlist"])).expect("JSON")
    }

    /// What `jlist` says of an instance.
    pub(crate) fn one(&self, id: u64) -> Value {
        let all = self.list();
        all.iter().find(|one| one["pm_id"] == id).cloned().unwrap_or_else(|| panic!("no {id} in {all:?}"))
    }

    pub(crate) fn pid(&self, id: u64) -> u64 {
        self.one(id)["pid"].as_u64().expect("a number")
    }

    pub(crate) fn status(&self, id: u64) -> String {
        self.one(id)["pm2_env"]["status"].as_str().expect("a word").to_owned()
    }

    /// What an instance has written, once `is_there` says that it is enough.
    pub(crate) fn log(&self, name: &str, is_there: impl Fn(&str) -> bool) -> String {
        let path = self.pm2("logs").join(name);
        eventually(|| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if is_there(&text) { Ok(text) } else { Err(format!("{}: {text:?}", path.display())) }
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut command = Plain::new(PROGRAM);
        command.arg("kill").env("HOME", self.path()).env_remove("PM2_HOME");
        let _ = command.output();
    }
}

/// Waits until something is as it should be; fails with what it was last.
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(last) => assert!(Instant::now() < deadline, "{last}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process is there.
pub(crate) fn lives(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
