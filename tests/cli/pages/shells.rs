//! The completions in real shells, each on a terminal of its own, as somebody types.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::pseudo_terminal;

const DEADLINE: Duration = Duration::from_secs(60);
/// Empties the line that is being typed.
const CLEAR: &str = "\u{15}";

/// A world with two apps, one with pm2, and the completions of all programs.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        for path in ["w/home/api", "w/home/shop", "w/lib/config/ps/api", "pm2/formation", "here/files"] {
            fs::create_dir_all(home.path(path)).expect("a directory");
        }
        fs::write(home.path("w/lib/config/ps/api/scale"), "web=2\nworker=1\n").expect("a file");
        fs::write(home.path("here/a b.txt"), "").expect("a file");
        let app = |name: &str, id: u32| {
            format!(
                "{{\"app\":\"a{id}\",\"name\":\"{name}\",\"script\":\"/x\",\"words\":[],\"cwd\":\"/\",\"env\":{{}},\"is_cluster\":false,\
                 \"port\":null,\"out\":\"/o\",\"err\":\"/e\",\"pid\":\"/p\",\"merges_logs\":false,\"kill_timeout\":1,\"shown\":[],\
                 \"instances\":[{{\"id\":{id},\"slot\":1,\"created_at\":0,\"restarts\":0}}]}}"
            )
        };
        let apps = [app("mailer", 70), app("$(touch hurt)", 71), app("c\\u001b[2Jd", 72)].join(",");
        let book = format!("{{\"format\":1,\"next_id\":73,\"apps\":[{apps}]}}");
        fs::write(home.path("pm2/formation/apps.json"), book).expect("a file");
        let made = Command::new(env!("CARGO_BIN_EXE_pages")).arg(home.path("made")).status();
        assert!(made.expect("pages runs").success());
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn command(&self, program: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_pages")).parent().expect("a directory");
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a PATH"));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path(""))
            .env("TERM", "dumb")
            .env("LANG", "C.UTF-8");
        command.env("DOKKU_ROOT", self.path("w/home")).env("DOKKU_LIB_ROOT", self.path("w/lib"));
        command.env("PM2_HOME", self.path("pm2")).current_dir(self.path("here"));
        command
    }

    /// What a program answers a shell.
    fn asked(&self, shell: &str, program: &str, words: &[&str]) -> Output {
        let mut command = self.command(program);
        command.env("FORMATION_COMPLETE", shell).arg("--").arg(program).args(words);
        command.output().expect("the program runs: cargo build --workspace --bins")
    }
}

/// A shell on a terminal.
struct Terminal {
    child: Child,
    master: File,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(home: &Home, shell: &[&str]) -> Self {
        let (master, slave) = pseudo_terminal::pair();
        let mut command = home.command("setsid");
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.args(["--wait", "--ctty"]).args(shell).stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the shell starts");
        let (master, seen) = (File::from(master), Arc::new(Mutex::new(String::new())));
        let (mut reader, shared) = (master.try_clone().expect("a descriptor"), Arc::clone(&seen));
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                let mut seen = shared.lock().expect("nobody panics");
                seen.push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        Self { child, master, seen }
    }

    /// Types something, and waits until the terminal shows all of these words after it.
    fn types(&mut self, keys: &str, wanted: &[&str]) -> String {
        self.seen.lock().expect("nobody panics").clear();
        self.master.write_all(keys.as_bytes()).expect("it is read");
        let deadline = Instant::now() + DEADLINE;
        loop {
            let seen = self.seen.lock().expect("nobody panics").clone();
            if wanted.iter().all(|word| seen.contains(word)) {
                return seen;
            }
            assert!(Instant::now() < deadline, "{keys:?}: {wanted:?} do not come: {seen:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Terminal {
    /// Gives up the line that was typed, and waits until the shell takes the next one.
    fn clears(&mut self) {
        self.types(&format!("{CLEAR}echo do''ne\r"), &["done", "ready> "]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has(shell: &str) -> bool {
    let found = Command::new(shell).arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !found {
        skipped::skip(format!("{shell} is not installed"));
    }
    found
}

#[test]
fn bash_completes_apps_types_properties_worlds_and_what_it_splits() {
    let home = Home::new();
    let mut bash = Terminal::start(&home, &["bash", "--norc", "--noprofile", "-i"]);
    let made = home.path("made/completions/bash");
    bash.types(&format!("PS1='ready> '; for f in {}/ps-*; do . $f; done\r", made.display()), &["\nready> "]);
    for (keys, wanted) in [
        ("ps-lifecycle resta\t", &["restart "][..]),
        ("ps-lifecycle restart sh\t", &["restart shop "]),
        ("ps-lifecycle restart \t\t", &["api ", "shop"]),
        ("ps-lifecycle restart api w\t\t", &["web ", "web.1", "web.2", "worker.1"]),
        ("ps-lifecycle restart --world=d\t", &["--world=default "]),
        ("ps-lifecycle restart --world=default a\t", &["default a"]),
        ("ps-scale api web=3 wor\tX", &["web=3 worker=X"]),
        ("ps-set api procf\t", &["procfile-path "]),
        ("ps-pm2 restart mai\t", &["restart mailer "]),
        ("ps-pm2 restart 7\t\t", &["70", "71", "72"]),
        // A path is left to bash, which quotes it.
        ("ps-lifecycle apply a\t", &["apply a\\ b.txt "]),
    ] {
        bash.types(keys, wanted);
        bash.clears();
    }
    bash.types("ps-pm2 restart \\$\t\t", &["restart"]);
    bash.clears();
    assert!(!home.path("here/hurt").exists(), "a name was run as a command");
}

#[test]
fn zsh_completes_names_from_the_file_that_is_installed() {
    if !has("zsh") {
        return;
    }
    let home = Home::new();
    let mut zsh = Terminal::start(&home, &["zsh", "-f", "-i"]);
    let made = home.path("made/completions/zsh");
    let line = format!(
        "PS1='ready> '; fpath=({} $fpath); autoload -U compinit; compinit -u -D; echo be''gin\r",
        made.display()
    );
    zsh.types(&line, &["begin\r", "ready> "]);
    for (keys, wanted) in [
        ("ps-lifecycle restart sh\t", &["shop"][..]),
        ("ps-lifecycle restart \t\t", &["api", "shop"]),
        ("ps-lifecycle restart api work\t\t", &["worker.1"]),
        ("ps-pm2 restart mai\t", &["mailer"]),
        ("ps-scale api wor\tX", &["worker=X"]),
    ] {
        zsh.types(keys, wanted);
        zsh.clears();
    }
}

#[test]
fn fish_completes_names_from_the_file_that_is_installed() {
    if !has("fish") {
        return;
    }
    let home = Home::new();
    let made = home.path("made/completions/fish");
    let complete = |line: &str| {
        let script =
            format!("for f in {}/ps-*.fish; source $f; end; complete --do-complete '{line}'", made.display());
        let ran = home.command("fish").args(["--no-config", "-c", &script]).output().expect("fish runs");
        assert!(ran.stderr.is_empty(), "{ran:?}");
        String::from_utf8(ran.stdout).expect("text")
    };
    assert_eq!(complete("ps-lifecycle restart "), "api\nshop\n");
    assert_eq!(complete("ps-lifecycle restart api work"), "worker\nworker.1\n");
    assert_eq!(complete("ps-lifecycle restart --world=d"), "--world=default\n");
    assert_eq!(complete("ps-scale api wor"), "worker=\tnow 1\n");
    assert!(complete("ps-pm2 restart 7").contains("72\tc\u{fffd}[2Jd\n"));
    assert!(complete("ps-lifecycle apply a").contains("a b.txt"), "files are left to fish");
}

#[test]
fn whatever_is_wrong_nothing_is_said_and_nothing_is_made() {
    let home = Home::new();
    fs::write(home.path("w/lib/config/ps/api/scale"), b"\xff\x00").expect("a file");
    fs::write(home.path("pm2/formation/apps.json"), "{").expect("a file");
    for (program, words) in [
        ("ps-lifecycle", &["restart", "api", ""][..]),
        ("ps-lifecycle", &["restart", "--world", "absent", ""]),
        ("ps-lifecycle", &["no-such-verb", "", ""]),
        ("ps-lifecycle", &["--help", ""]),
        ("ps-lifecycle", &["="]),
        ("ps-lifecycle", &[":", "=", ""]),
        ("ps-scale", &["no-such-app", ""]),
        ("ps-scale", &["--", "api", "--", ""]),
        ("ps-set", &["../..", "x"]),
        ("ps-pm2", &["restart", ""]),
        ("ps-logs", &["api", "web.1", ""]),
        ("ps-report", &["\u{1b}[2J"]),
        ("ps-top", &[]),
        ("ps-explain", &["api", ""]),
    ] {
        for shell in ["bash", "zsh", "fish"] {
            let answer = home.asked(shell, program, words);
            assert!(answer.status.success() && answer.stderr.is_empty(), "{program} {words:?}: {answer:?}");
        }
    }
    assert!(!home.path("pm2/logs").exists(), "a directory was made");
}
