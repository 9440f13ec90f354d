//! A home for apps: the two roots in a temporary directory, the real programs on PATH, and a guard that destroys every
//! app and finds what escaped. Every process that is started in it can be told by its HOME.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, Running, run};

/// After this long what should come by itself counts as missing.
pub(crate) const SOON: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// An app.json for a `web` that does not listen, where [`Home::new`] does not say so.
pub(crate) const ALIVE: &str = r#"{"formation": {"web": {"ready": "alive"}}}"#;
/// The setting `ready` of all apps.
const READY: &str = "lib/config/ps/--global/ready";
pub(crate) const LISTEN: &str = "lib/config/ps/--global/listen";
/// How long containers of all apps without checks must live.
const UPTIME: &str = "lib/config/checks/--global/default-wait";

/// Path to content: what is stored. `None` is a directory, or a file that holds no bytes by nature.
pub(crate) type State = BTreeMap<PathBuf, Option<Vec<u8>>>;

const PACKAGES: [&str; 16] = [
    "procfile-util",
    "ps-balance",
    "ps-explain",
    "ps-lifecycle",
    "ps-logs",
    "ps-node",
    "ps-notify",
    "ps-pm2",
    "ps-supervise",
    "ps-web",
    "ps-top",
    "ps-scale",
    "ps-set",
    "ps-report",
    "ps-inspect-sanitize",
    "faultapp",
];
/// The directory of the built programs. Those of other packages are built if they are not there.
pub(crate) fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let ours = Path::new(env!("CARGO_BIN_EXE_ps-lifecycle"));
        let directory = ours.parent().expect("a program lies in a directory").to_owned();
        let missing: Vec<&str> =
            PACKAGES.into_iter().filter(|package| !directory.join(package).is_file()).collect();
        if !missing.is_empty() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--bins", "--target-dir"]);
            build.arg(directory.parent().expect("a profile's directory lies in the target directory"));
            build.args(missing.iter().flat_map(|package| ["-p", *package]));
            if directory.ends_with("release") {
                build.arg("--release");
            }
            let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
            assert!(built.success(), "the programs that these tests run could not be built: {missing:?}");
        }
        directory
    })
}

/// The sample app.
pub(crate) fn hello() -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/apps/hello");
    directory.canonicalize().expect("the sample app").to_str().expect("text").to_owned()
}

/// Kills a process, which may have left by itself, and waits until it holds no file any more. `/proc` shows nothing of one that ends
/// while its locks and sockets are still there.
pub(crate) fn kill(pid: Pid) {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let _ = pidfd_send_signal(&process, Signal::KILL);
    let limit = Timespec::try_from(SOON).expect("a limit");
    let ended = retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)));
    assert_eq!(ended, Ok(1), "pid {pid} is dead");
}

/// Held by tests whose apps listen: two worlds that look for a free port at once could choose the same.
pub(crate) fn listening() -> MutexGuard<'static, ()> {
    static PORTS: Mutex<()> = Mutex::new(());
    PORTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The roots, and what runs there.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        programs();
        let home = Self(TempDir::new().expect("a temporary directory"));
        for directory in ["home", "lib", "bin"] {
            fs::create_dir_all(home.path(directory)).expect("a directory");
        }
        home.set_for_all();
        home
    }

    /// What is set for all apps.
    pub(crate) fn set_for_all(&self) {
        // Most tests run a `web` that does not listen.
        self.write(READY, "alive");
        // Two worlds of this machine could choose the same address at the same moment.
        self.write(LISTEN, "none");
        // A container without checks need not live for ten seconds in each test.
        self.write(UPTIME, "1");
    }

    /// A home where `web` is ready once it listens, as it is where nothing is set for all apps.
    pub(crate) fn as_installed() -> Self {
        let home = Self::new();
        fs::remove_file(home.path(READY)).expect("it is there");
        home
    }

    /// A home where `app` runs from this Procfile.
    pub(crate) fn running(app: &str, procfile: &str, words: &[&str]) -> Self {
        let home = Self::new();
        let source = home.source(app, procfile);
        home.does(&[&["ps-lifecycle", "deploy", app, "--dir", &source], words].concat());
        home
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
        fs::write(&path, content).expect("a file");
        path
    }

    /// Writes a hook, by another process: what we hold open for writing while another test forks could not be run.
    pub(crate) fn hook(&self, path: &str, script: &str) {
        self.install(&self.path("lib/plugins/enabled").join(path), script);
    }

    /// Writes a program, in the same way. Those in `programs` are on PATH.
    pub(crate) fn install(&self, path: &Path, script: &str) {
        let text = self.write("hook.text", script);
        let installed = Command::new("install").args(["-D", "-m", "755"]).arg(&text).arg(path).status();
        assert!(installed.expect("install runs").success());
        fs::remove_file(text).expect("it was there");
    }

    /// A directory to deploy from; its path.
    pub(crate) fn source(&self, name: &str, procfile: &str) -> String {
        self.write(&format!("{name}/Procfile"), procfile);
        self.path(name).to_str().expect("text").to_owned()
    }

    /// A program, in this home and nothing else.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_at(programs(), words)
    }

    /// The program that lies in this directory.
    pub(crate) fn command_at(&self, directory: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(directory.join(words[0]));
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", format!("{}:{}:{path}", programs().display(), self.path("programs").display()))
            .env("HOME", self.0.path())
            .env("DOKKU_ROOT", self.path("home"))
            .env("DOKKU_LIB_ROOT", self.path("lib"))
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        for name in ["DOCKER_HOST", "FORMATION_TEST_RUN"] {
            command.envs(std::env::var(name).map(|value| (name, value)));
        }
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        run(self.command(words))
    }

    /// Runs a program that must succeed; what it printed.
    pub(crate) fn does(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.status, Some(0), "{words:?}: {ran:?}");
        ran.stdout
    }

    /// Runs a program that must be refused and change nothing that is stored.
    pub(crate) fn refuses(&self, words: &[&str], status: i32, says: &[&str]) -> Ran {
        let before = self.state();
        let ran = self.run(words);
        ran.is_refused(status, says);
        self.is_as(&before);
        ran
    }

    /// Starts a program in a process group of its own, as a terminal would.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        let mut command = self.command(words);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::begin(command)
    }

    /// The rows of `status`.
    pub(crate) fn status(&self, app: &str) -> Vec<Value> {
        let ran = self.run(&["ps-lifecycle", "status", app, "--json"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.rows()
    }

    /// The log of what a slot writes to stdout, of which one run after the other goes on in the same.
    pub(crate) fn log_file(&self, app: &str, slot: &str) -> PathBuf {
        let directory = self.path("lib/data/scheduler-native").join(app).join(slot).join("log");
        let entries = fs::read_dir(&directory).expect("it has logs");
        let mut logs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        logs.retain(|log| log.file_name().is_some_and(|name| name.to_string_lossy().starts_with("stdout")));
        assert_eq!(logs.len(), 1, "{logs:?}");
        logs.remove(0)
    }

    /// The directory of the one run that a slot has.
    pub(crate) fn run_directory(&self, app: &str, slot: &str) -> PathBuf {
        let runs = self.path("lib/data/scheduler-native").join(app).join(slot).join("runs");
        let mut runs = fs::read_dir(&runs).expect("it has runs").flatten();
        runs.next().expect("one run").path()
    }

    /// Slot to pid of what runs.
    pub(crate) fn pids(&self, app: &str) -> BTreeMap<String, u64> {
        let pid = |row: &Value| Some((slot(row), row["pid"].as_u64()?));
        self.status(app).iter().filter_map(pid).collect()
    }

    /// Slot to state.
    pub(crate) fn states(&self, app: &str) -> BTreeMap<String, String> {
        let state = |row: &Value| (slot(row), row["state"].as_str().expect("text").to_owned());
        self.status(app).iter().map(state).collect()
    }

    /// What is stored in the two roots: no locks, no logs, no record of decisions, nothing of the root of supervisors, no staged writes, no empty directories that all apps share,
    /// and not the settings of all apps that [`Self::new`] makes.
    pub(crate) fn state(&self) -> State {
        let mut state = State::new();
        for root in ["home", "lib"] {
            collect(self.0.path(), &self.path(root), &mut state);
        }
        state
    }

    /// [`Self::state`] without what the supervisor writes about what runs.
    pub(crate) fn settings(&self) -> State {
        let mut state = self.state();
        state.retain(|path, _| !path.starts_with("lib/data/scheduler-native"));
        state
    }

    /// That what is stored is as it was.
    pub(crate) fn is_as(&self, before: &State) {
        assert_same(before, &self.state());
    }

    /// The processes that were started in this home and live.
    pub(crate) fn processes(&self) -> Vec<(Pid, String)> {
        let mark = format!("HOME={}", self.0.path().display()).into_bytes();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|variable| variable == mark) {
                let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let words = String::from_utf8_lossy(&words).replace('\0', " ");
                found.extend(Pid::from_raw(pid).map(|pid| (pid, words)));
            }
        }
        found
    }

    /// The supervisors of apps. What one has just forked bears its name until it becomes a command.
    pub(crate) fn supervisors(&self) -> Vec<Pid> {
        let others = ["--root", "--hold-output"];
        let is_one = |words: &str| {
            words.contains("ps-supervise ") && !others.iter().any(|other| words.contains(other))
        };
        self.processes().into_iter().filter(|(_, words)| is_one(words)).map(|(pid, _)| pid).collect()
    }

    /// The root that keeps them alive, if there is one.
    pub(crate) fn root(&self) -> Option<Pid> {
        self.processes().into_iter().find(|(_, words)| words.contains("--root")).map(|(pid, _)| pid)
    }

    /// Kills the root: a supervisor that dies stays dead, until a verb starts another root.
    pub(crate) fn without_root(&self) {
        if let Some(root) = self.root() {
            kill(root);
        }
    }

    /// That soon no process of this home lives.
    pub(crate) fn is_silent(&self) {
        eventually("no process is left", || {
            let left = self.processes();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }

    /// Ends everything at once, as a power cut would.
    pub(crate) fn power_cut(&self) {
        eventually("everything is dead", || {
            let left = self.processes();
            for (pid, _) in &left {
                // It may have ended by itself.
                let _ = rustix::process::kill_process(*pid, Signal::KILL);
            }
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for app in fs::read_dir(self.path("home")).into_iter().flatten().flatten() {
            let app = app.file_name().to_string_lossy().into_owned();
            run(self.command(&["ps-lifecycle", "destroy", &app]));
        }
        // The root says that it leaves, and then its process ends.
        let until = Instant::now() + SOON;
        let mut left = self.processes();
        while !left.is_empty() && !thread::panicking() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
            left = self.processes();
        }
        if !left.is_empty() {
            self.power_cut();
        }
        // Whoever failed already has said why.
        if !thread::panicking() {
            assert!(left.is_empty(), "still running after destroy: {left:?}");
            let stored: Vec<PathBuf> = self.state().into_keys().collect();
            let ours = |path: &&PathBuf| !path.starts_with("lib/plugins");
            assert_eq!(stored.iter().filter(ours).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
        }
    }
}

/// Waits until `look` finds what is described; fails with what it saw last.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() >= deadline => panic!("{what}: not within {SOON:?}: {seen}"),
            Err(_) => thread::sleep(LOOK_AGAIN),
        }
    }
}

/// The answer to a GET, head and body.
pub(crate) fn get(port: u64, path: &str) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("GET {path} of port {port}: {error}");
    let port = u16::try_from(port).expect("a port");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(fail)?;
    stream.set_read_timeout(Some(SOON)).map_err(fail)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").map_err(fail)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(fail)?;
    Ok(answer)
}

/// `web.1` of a row of `status`.
pub(crate) fn slot(row: &Value) -> String {
    format!("{}.{}", row["process_type"].as_str().expect("text"), row["index"])
}

/// A map from words, for comparison.
pub(crate) fn table(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Names what differs.
pub(crate) fn assert_same(before: &State, after: &State) {
    let gone = before.iter().filter(|(path, content)| after.get(*path) != Some(content));
    let new = after.keys().filter(|path| !before.contains_key(*path));
    let differ: Vec<&PathBuf> = gone.map(|(path, _)| path).chain(new).collect();
    assert!(differ.is_empty(), "what is stored is not as before: {differ:?}");
}

fn collect(base: &Path, directory: &Path, state: &mut State) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(base).expect("it lies below").to_owned();
        let last = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else { continue };
        let is_lock = name == Path::new("lib/data/formation") || name == Path::new("lib/data/ps/retire");
        // A run that failed has had its number.
        let is_numbers = name.starts_with("lib/data/scheduler-docker-local") && last == "rollout.json";
        let is_ours = [READY, LISTEN, UPTIME].iter().any(|ours| name == Path::new(ours));
        let is_left_out =
            [".stage", "log", "supervisor.log", ".root", "decisions", "decisions.old"].contains(&&*last);
        if is_lock || is_numbers || is_ours || is_left_out {
            continue;
        }
        if kind.is_dir() {
            collect(base, &path, state);
            // lib/config/ps is all apps', lib/config/ps/<app> is one's.
            let is_of_all =
                [READY, LISTEN, UPTIME].iter().any(|ours| Path::new(ours).parent() == Some(&name));
            if name.starts_with("home") || (name.components().count() > 3 && !is_of_all) {
                state.insert(name, None);
            }
        } else {
            let is_special = kind.is_fifo() || kind.is_socket();
            state.insert(name, if is_special { None } else { fs::read(&path).ok() });
        }
    }
}
