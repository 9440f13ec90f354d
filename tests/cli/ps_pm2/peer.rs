//! The control of long runs: the same words, the same app and the same load for this program and for a pm2 from npm, at the same time.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::clients::{Load, Summary, get, gets};
use crate::home::{Home, eventually};
use crate::npm_pm2;

/// How often the app is reloaded, and how many requests it gets in a second.
const RELOADS: usize = 200;
const PER_SECOND: u32 = 500;

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what it is run for")]
fn under_the_load_under_which_pm2_loses_requests_nothing_is_lost_here() {
    let Some(pm2) = npm_pm2::program() else { return };
    let both = [("ps-pm2", PathBuf::from(env!("CARGO_BIN_EXE_ps-pm2"))), ("pm2", pm2)];
    let running = both.map(|(name, program)| (name, thread::spawn(move || reloaded(&program))));
    let [ours, theirs] = running.map(|(name, thread)| {
        let (summary, at_rest) = thread.join().expect("it is carried out");
        eprintln!("{name}: {}", told(&summary, &at_rest));
        summary
    });
    assert_eq!(ours.failed, [""; 0]);
    // Not each of four has lived long enough to be asked.
    assert!(ours.by_process.len() > 3 * RELOADS, "{} processes have answered", ours.by_process.len());
    assert!(!theirs.failed.is_empty(), "pm2 has lost nothing: does the load still notice what is lost?");
}

/// Ends a daemon with its test.
struct Daemon<'a>(&'a Path, &'a Home);

impl Daemon<'_> {
    fn say(&self, words: &[&str]) -> bool {
        let mut command = Command::new(self.0);
        command.args(words).current_dir(self.1.app("")).env("HOME", self.1.path()).env_remove("PM2_HOME");
        command.output().expect("it runs").status.success()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.say(&["kill"]);
    }
}

/// An app of four processes, reloaded again and again under load: what clients have seen, and then of 40 requests without any.
fn reloaded(program: &Path) -> (Summary, BTreeMap<String, usize>) {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = listener.expect("a port").port();
    let server =
        format!("require('http').createServer((q, r) => r.end(String(process.pid))).listen({port});\n");
    fs::write(home.app("srv.js"), server).expect("a script");
    let daemon = Daemon(program, &home);
    assert!(daemon.say(&["start", "srv.js", "-i", "4"]));
    eventually(|| get(port));
    let load = Load::paced(port, PER_SECOND);
    let failed = (0..RELOADS).filter(|_| !daemon.say(&["reload", "srv"])).count();
    let summary = load.summary();
    assert_eq!(failed, 0, "reloads have failed");
    let at_rest = gets(port, 40);
    (summary, at_rest)
}

fn told(summary: &Summary, at_rest: &BTreeMap<String, usize>) -> String {
    let mut answered: Vec<usize> = summary.by_process.values().copied().collect();
    answered.sort_unstable();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in &summary.failed {
        *kinds.entry(reason).or_default() += 1;
    }
    format!(
        "{RELOADS} reloads, {} requests answered, {} failed {kinds:?}; by each of {} processes from {} to {}, in the middle {}; \
         afterwards 40 requests went to {:?}",
        summary.answered,
        summary.failed.len(),
        answered.len(),
        answered.first().unwrap_or(&0),
        answered.last().unwrap_or(&0),
        answered.get(answered.len() / 2).unwrap_or(&0),
        at_rest.values().collect::<Vec<_>>(),
    )
}
