//! The control of long runs: the same load upon a pm2 from npm, whose reloads lose requests.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::clients::{Load, get};
use crate::npm_pm2;
use crate::world::{SERVER, eventually, has_node, port};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// A daemon of pm2, ended with its test.
struct Pm2 {
    program: PathBuf,
    place: tempfile::TempDir,
    port: u16,
}

impl Pm2 {
    /// The newest one; `None`, noted as skipped, where there is none.
    fn of_npm(port: u16) -> Option<Self> {
        let program = npm_pm2::program()?;
        let place = tempfile::tempdir().expect("a directory");
        std::fs::write(place.path().join("server.js"), SERVER).expect("written");
        Some(Self { program, place, port })
    }

    fn say(&self, words: &[&str]) -> Output {
        let mut pm2 = Command::new(&self.program);
        pm2.args(words).current_dir(self.place.path()).env("PM2_HOME", self.place.path().join("home"));
        pm2.env("PORT", self.port.to_string()).output().expect("pm2 runs")
    }

    fn does(&self, words: &[&str]) -> String {
        let ran = self.say(words);
        assert!(ran.status.success(), "{words:?}: {ran:?}");
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        self.say(&["kill"]);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what it is run for")]
fn the_same_load_notices_what_reloads_of_pm2_lose() {
    if !has_node() {
        return;
    }
    let port = port();
    let Some(pm2) = Pm2::of_npm(port) else { return };
    pm2.does(&["start", "server.js", "-i", "4"]);
    let version = pm2.does(&["--version"]);
    eventually("it listens", || get(port));
    let load = Load::begin(port, true);
    let times = 20;
    for _ in 0..times {
        pm2.does(&["reload", "server"]);
    }
    load.stop();
    // A request that has no answer by then gets none: its connection ends with pm2, and it counts as failed.
    let limit = Instant::now() + ANSWER;
    while !load.has_stopped() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(10));
    }
    pm2.say(&["kill"]);
    let seen = load.summary();
    let processes = seen.by_process.len();
    let mut kinds: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for reason in &seen.failed {
        *kinds.entry(reason).or_default() += 1;
    }
    eprintln!(
        "pm2 {version}, {times} reloads: {} answered by {processes} processes, {} failed: {kinds:?}",
        seen.answered,
        seen.failed.len()
    );
    assert!(processes > 2 * times, "only {processes} processes have answered: it was not reloaded");
    assert!(!seen.failed.is_empty(), "pm2 has lost nothing: does the load still notice what is lost?");
}
