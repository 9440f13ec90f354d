//! A verb is killed at each of its steps in turn: at every system call with which it changes something or tells somebody. Without any
//! further verb, what is recorded of the app is what runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use endurance::processes::until;
use endurance::world::World;
use faults::{count, note, programs};

const APP: &str = "shop";
/// Between two of these nothing changes that anybody else could see.
const STEPS: [&str; 12] = [
    "openat",
    "mkdir",
    "mkdirat",
    "write",
    "pwrite64",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "connect",
    "sendto",
    "flock",
];
const SETTLED: Duration = Duration::from_secs(20);

/// The verbs, each with its words; `{next}` is a directory with another version.
const VERBS: [(&str, &[&str]); 5] = [
    ("deploy", &["ps-lifecycle", "deploy", APP, "--dir", "{next}"]),
    ("restart", &["ps-lifecycle", "restart", APP]),
    ("scale", &["ps-scale", APP, "web=3"]),
    ("stop", &["ps-lifecycle", "stop", APP]),
    // Of an app that was stopped before.
    ("start", &["ps-lifecycle", "start", APP]),
];

struct Trial {
    world: World,
    words: Vec<String>,
}

impl Trial {
    fn of(words: &[&str]) -> Result<Self> {
        let world = World::new()?;
        let next = world.path("next");
        fs::create_dir(&next)?;
        fs::write(next.join("Procfile"), "web: faultapp --tick 60 --say next\n")?;
        let next = next.display().to_string();
        let words: Vec<String> = words.iter().map(|word| word.replace("{next}", &next)).collect();
        world.deploy(APP, "web: faultapp --tick 60 --say first\n", &["web=2"])?;
        if words.iter().any(|word| word == "start") {
            world.does(&["ps-lifecycle", "stop", APP])?;
        }
        Ok(Self { world, words })
    }

    /// Runs the verb under strace with these options; its log.
    fn traced(&self, options: &[String]) -> Result<String> {
        let log = self.world.path("strace");
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let verb = self.world.command(&words)?;
        let mut strace = Command::new("strace");
        strace.arg("-qq").args(options).arg("-o").arg(&log).arg(verb.get_program()).args(verb.get_args());
        strace.env_clear().envs(verb.get_envs().filter_map(|(name, value)| Some((name, value?))));
        strace
            .current_dir(self.world.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        strace.status()?;
        Ok(fs::read_to_string(log).unwrap_or_default())
    }

    /// What is recorded of the app: so many processes of that command.
    fn recorded(&self) -> Result<(usize, String)> {
        let text = |path: &str| fs::read_to_string(self.world.path(path)).unwrap_or_default();
        let procfile = text(&format!("lib/data/ps/{APP}/Procfile"));
        let command = procfile.trim().trim_start_matches("web: ").to_owned();
        let scale = text(&format!("lib/config/ps/{APP}/scale"));
        let quantity = scale.lines().find_map(|line| line.strip_prefix("web=")?.parse().ok()).unwrap_or(0);
        let is_wanted = self.world.does(&["ps-set", "--get", APP, "restore"])?.trim() != "false";
        Ok((if is_wanted { quantity } else { 0 }, command))
    }

    /// Waits until that is what runs.
    fn comes_true(&self, point: &str) -> Result<()> {
        let looked = || {
            let (quantity, command) = self.recorded().ok()?;
            let running = self.world.processes(APP);
            let is_true = running.len() == quantity && running.values().all(|line| *line == command);
            is_true.then_some(())
        };
        until(&format!("{point}: what is recorded runs"), SETTLED, looked).map_err(|error| {
            error.context(format!("recorded {:?}, running {:?}", self.recorded(), self.world.processes(APP)))
        })
    }
}

/// How often the verb makes each of these calls, unharmed.
fn calls(words: &[&str]) -> Result<BTreeMap<String, usize>> {
    let log = Trial::of(words)?.traced(&[format!("-etrace={}", STEPS.join(","))])?;
    let mut calls = BTreeMap::new();
    for name in log.lines().filter_map(|line| Some(line.split_once('(')?.0.to_owned())) {
        *calls.entry(name).or_default() += 1;
    }
    Ok(calls)
}

/// Kills the verb at each step, or at as many of them as a plain run takes; what did not hold.
fn sweep(verb: &str, words: &[&str]) -> Result<Vec<String>> {
    let calls = calls(words)?;
    let mut points: Vec<(String, usize)> = Vec::new();
    for (name, times) in calls {
        points.extend((1..=times).map(|k| (name.clone(), k)));
    }
    let every = (points.len() / count(6, points.len().max(1))).max(1);
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, k) in points.iter().step_by(every) {
        let trial = Trial::of(words)?;
        trial.traced(&[format!("-etrace={name}"), format!("-einject={name}:signal=KILL:when={k}")])?;
        tried += 1;
        wrong.extend(
            trial.comes_true(&format!("{verb} killed at {name} {k}")).err().map(|error| format!("{error:#}")),
        );
    }
    note(&format!("{verb}: {} of {tried} points hold, of {} in all", tried - wrong.len(), points.len()));
    Ok(wrong)
}

fn holds_at_every_step(verb: &str) {
    if !programs::strace_works() {
        return skipped::skip("no sweep without strace (scripts/setup installs it)");
    }
    let (_, words) = VERBS.iter().find(|(name, _)| *name == verb).expect("a verb of the table");
    let held = sweep(verb, words).and_then(|wrong| {
        ensure!(wrong.is_empty(), "{} points:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    });
    if let Err(error) = held {
        panic!("{error:#}");
    }
}

#[test]
fn what_is_recorded_runs_wherever_a_deploy_is_killed() {
    holds_at_every_step("deploy");
}

#[test]
fn what_is_recorded_runs_wherever_a_restart_is_killed() {
    holds_at_every_step("restart");
}

#[test]
fn what_is_recorded_runs_wherever_a_scale_is_killed() {
    holds_at_every_step("scale");
}

#[test]
fn what_is_recorded_runs_wherever_a_stop_is_killed() {
    holds_at_every_step("stop");
}

#[test]
fn what_is_recorded_runs_wherever_a_start_is_killed() {
    holds_at_every_step("start");
}
