//! The verbs that call an engine, what they find, and what is true after them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::between::Between;
use crate::engine::dockerfile;
pub(super) use crate::engine::{IMAGE, has_engine};
use crate::home::{Home, table};
use crate::program::{self, Ran};
use crate::registry::docker;

pub(super) const ENGINE: &str = "/var/run/docker.sock";
const GRACE_OF_ALL: &str = "lib/config/ps/--global/stop-timeout-seconds";
/// From SIGTERM to SIGKILL, in seconds.
pub(super) const GRACE: u64 = 1;
/// Longer than any verb takes that meets one deadline.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// Slots and what they do; none: there is no such app.
type Slots = &'static [(&'static str, &'static str)];

/// One verb.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Verb {
    /// `APP` stands for the app's name, `SOON` for a moment in the future.
    pub(super) words: &'static [&'static str],
    before: Slots,
    after: Slots,
}

const DEPLOY: &[&str] = &["ps-lifecycle", "deploy", "APP", "--image", IMAGE, "--scale", "web=2"];
const STOP: &[&str] = &["ps-lifecycle", "stop", "APP"];
const DESTROY: &[&str] = &["ps-lifecycle", "destroy", "APP"];
const NONE: Slots = &[];
const TWO: Slots = &[("web.1", "running"), ("web.2", "running")];
const ONE: Slots = &[("web.1", "running")];
const THREE: Slots = &[("web.1", "running"), ("web.2", "running"), ("web.3", "running")];
const STOPPED: Slots = &[("web.1", "stopped"), ("web.2", "stopped")];

/// Those that change what runs.
pub(super) const CHANGES: [Verb; 8] = [
    Verb { words: DEPLOY, before: NONE, after: TWO },
    Verb { words: DEPLOY, before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "restart", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-scale", "APP", "web=3"], before: TWO, after: THREE },
    Verb { words: &["ps-scale", "APP", "web=1"], before: TWO, after: ONE },
    Verb { words: STOP, before: TWO, after: STOPPED },
    Verb { words: &["ps-lifecycle", "start", "APP"], before: STOPPED, after: TWO },
    Verb { words: DESTROY, before: TWO, after: NONE },
];

/// A deploy with tasks, of the image that [`Place::make_source`] makes.
pub(super) const WITH_TASKS: Verb = Verb {
    words: &["ps-lifecycle", "deploy", "APP", "--image", "formation-test/APP", "--scale", "web=2"],
    before: TWO,
    after: TWO,
};

/// Those that only look, or find nothing to do.
pub(super) const LOOKS: [Verb; 8] = [
    Verb { words: &["ps-lifecycle", "status", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "inspect", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "logs", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "logs", "APP", "-f", "--until", "SOON"], before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "processes", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "converge", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-lifecycle", "retire", "APP"], before: TWO, after: TWO },
    Verb { words: &["ps-report", "APP", "--json"], before: TWO, after: TWO },
];

/// An app in a home of its own, on one engine.
pub(super) struct Place<'a> {
    pub(super) home: Home,
    pub(super) app: String,
    engine: &'a Path,
    /// What the last verb left; `None`: nobody has looked since.
    now: Cell<Option<Slots>>,
    /// What the last verb on the engine itself said.
    said: RefCell<String>,
    /// How many seconds ahead `SOON` is.
    pub(super) soon: Cell<u64>,
}

impl<'a> Place<'a> {
    pub(super) fn new(engine: &'a Path) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        Self::of(format!("calls-{}-{nth}", std::process::id()), engine)
    }

    /// An app of this name, which another home may have too.
    pub(super) fn of(app: String, engine: &'a Path) -> Self {
        let place = Self {
            home: Home::new(),
            app,
            engine,
            now: Cell::new(Some(NONE)),
            said: RefCell::default(),
            soon: Cell::new(2),
        };
        place.set_up();
        place
    }

    /// What is set for all apps, also where something else has been mounted over it.
    pub(super) fn set_up(&self) {
        self.home.set_for_all();
        self.home.write(GRACE_OF_ALL, &GRACE.to_string());
    }

    /// Makes the image of [`WITH_TASKS`].
    pub(super) fn make_source(&self) {
        let scripts = r#"{"scripts": {"dokku": {"predeploy": "echo one", "postdeploy": "echo three"}}}"#;
        self.home.write("src/Dockerfile", &dockerfile(&self.app));
        self.home.write("src/Procfile", "web: exec sleep 1000\nrelease: echo two\n");
        let source = self.home.write("src/app.json", scripts);
        let source = source.parent().expect("a directory").to_str().expect("text");
        docker(&["build", "-q", "-t", &format!("formation-test/{}", self.app), source]);
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let word = |word: &&str| match *word {
            "SOON" => in_seconds(self.soon.get()),
            word => word.replace("APP", &self.app),
        };
        words.iter().map(word).collect()
    }

    /// A program of this home, which calls the engine at this address.
    pub(super) fn command(&self, words: &[&str], host: &str) -> Command {
        let words = self.words(words);
        let mut command = self.home.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("DOCKER_HOST", host);
        command
    }

    pub(super) fn run_through(&self, words: &[&str], between: &Between) -> Ran {
        program::run_within(self.command(words, &between.host()), LONGEST)
    }

    /// On the engine itself; this must succeed, and nobody else may still be at it.
    pub(super) fn does(&self, words: &[&str], why: &str) {
        let ran = program::run_within(self.command(words, &self.host()), LONGEST);
        assert_eq!(ran.status, Some(0), "{why}: {words:?}: {ran:?}");
        self.said.replace(format!("{}{}", ran.stdout, ran.stderr));
    }

    /// The verb once more: what it was to destroy may be gone already, which is said.
    pub(super) fn does_again(&self, verb: &Verb, why: &str) {
        let is_gone = verb.after.is_empty() && !self.home.path("home").join(&self.app).exists();
        if !is_gone {
            return self.does(verb.words, why);
        }
        let ran = program::run_within(self.command(verb.words, &self.host()), LONGEST);
        assert!(ran.status == Some(20) && ran.stderr.contains("does not exist"), "{why}: {ran:?}");
        self.said.replace(ran.stderr);
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.engine.display())
    }

    /// Makes what the verb finds.
    pub(super) fn prepare(&self, verb: &Verb) {
        if self.now.get() == Some(verb.before) {
            self.now.set(None);
            return;
        }
        let steps: &[&[&str]] = match verb.before {
            NONE => &[DESTROY],
            STOPPED => &[DEPLOY, STOP],
            _ => &[DEPLOY],
        };
        for words in steps {
            self.does(words, "prepare");
        }
        self.now.set(None);
    }

    /// That what is wanted is what there is, and nothing else.
    pub(super) fn is_as_wanted(&self, verb: &Verb, why: &str) {
        let names = self.containers();
        let is_odd = |name: &String| name.contains("upcoming") || name.contains("reading");
        assert!(
            names.len() == verb.after.len() && !names.iter().any(is_odd),
            "{why}: {names:?} after {}",
            self.said.borrow()
        );
        self.now.set(Some(verb.after));
        if verb.after.is_empty() {
            assert!(!self.home.path("home").join(&self.app).exists(), "{why}: it is left");
            return;
        }
        let ran = program::run_within(
            self.command(&["ps-lifecycle", "status", "APP", "--json"], &self.host()),
            LONGEST,
        );
        let state = |row: &serde_json::Value| {
            (crate::home::slot(row), row["state"].as_str().expect("text").to_owned())
        };
        let states: BTreeMap<String, String> = ran.rows().iter().map(state).collect();
        assert_eq!(states, table(verb.after), "{why}: {ran:?}");
        let rollout = self.home.path("lib/data/scheduler-docker-local").join(&self.app).join("rollout.json");
        let written = std::fs::read_to_string(rollout).expect("numbers are kept");
        assert!(!written.contains("under_way"), "{why}: {written}");
    }

    /// The names of all containers of the app.
    pub(super) fn containers(&self) -> Vec<String> {
        self.listed(&["-a", "--format", "{{.Names}}"])
    }

    /// The ids of those that run.
    pub(super) fn running(&self) -> Vec<String> {
        self.listed(&["--no-trunc", "--format", "{{.ID}}"])
    }

    fn listed(&self, words: &[&str]) -> Vec<String> {
        let root = format!("label=com.formation.root={}", self.home.path("home").display());
        let app = format!("label=com.dokku.app-name={}", self.app);
        let mut docker = Command::new("docker");
        docker.args(["--host", &self.host(), "ps", "--filter", &root, "--filter", &app]).args(words);
        let listed = docker.output().expect("docker runs");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let mut listed: Vec<String> =
            String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
        listed.sort();
        listed
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // By its own engine: the home's own end would ask another one.
        drop(self.command(DESTROY, &self.host()).stdout(Stdio::null()).stderr(Stdio::null()).status());
        drop(std::fs::remove_file(self.home.path(GRACE_OF_ALL)));
    }
}

/// Tries each in one place, and after a failure in another one, so that no failure hides those that come after it.
pub(super) fn each_holds<T>(engine: &Path, all: &[T], try_one: impl Fn(&Place<'_>, &T)) {
    let mut place = Place::new(engine);
    let mut failed = 0;
    for one in all {
        if panic::catch_unwind(AssertUnwindSafe(|| try_one(&place, one))).is_err() {
            failed += 1;
            place = Place::new(engine);
        }
    }
    assert_eq!(failed, 0, "of {} have failed", all.len());
}

fn in_seconds(seconds: u64) -> String {
    let date = Command::new("date").args(["-u", "+%FT%TZ", "-d", &format!("+{seconds} seconds")]).output();
    String::from_utf8(date.expect("date runs").stdout).expect("text").trim().to_owned()
}
