//! A verb is killed at each of its steps in turn: at every system call with which it changes something or tells somebody. Without any
//! further verb, what is recorded of the app is what runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use endurance::part;
use endurance::processes::until;
use endurance::world::World;
use faults::{note, programs};

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
const SETTLED: Duration = Duration::from_secs(60);
/// The environment of the other version.
const VARIABLES: &str = "A=next\n";

/// The verbs, each with its words; `{next}` is a directory with another version.
const VERBS: [(&str, &[&str]); 6] = [
    ("deploy", &["ps-lifecycle", "deploy", APP, "--dir", "{next}", "--env-file", "{next}/variables"]),
    ("restart", &["ps-lifecycle", "restart", APP]),
    ("scale", &["ps-scale", APP, "web=3"]),
    ("stop", &["ps-lifecycle", "stop", APP]),
    ("destroy", &["ps-lifecycle", "destroy", APP]),
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
        fs::write(next.join("variables"), VARIABLES)?;
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

    /// What is recorded of the app: so many processes of that command, and its variables.
    fn recorded(&self) -> Result<(usize, String, String)> {
        if !self.world.path("home").join(APP).exists() {
            let left = ["config/ps", "data/ps", "data/apps", "data/scheduler-native"];
            let left: Vec<&str> = left
                .into_iter()
                .filter(|path| self.world.path("lib").join(path).join(APP).exists())
                .collect();
            ensure!(left.is_empty(), "the app is gone, and something is left of it: {left:?}");
            return Ok((0, String::new(), String::new()));
        }
        let text = |path: &str| fs::read_to_string(self.world.path(path)).unwrap_or_default();
        let procfile = text(&format!("lib/data/ps/{APP}/Procfile"));
        let command = procfile.trim().trim_start_matches("web: ").to_owned();
        let scale = text(&format!("lib/config/ps/{APP}/scale"));
        let quantity = scale.lines().find_map(|line| line.strip_prefix("web=")?.parse().ok()).unwrap_or(0);
        let is_wanted = self.world.does(&["ps-set", "--get", APP, "restore"])?.trim() != "false";
        let variables = text(&format!("lib/config/{APP}/ENV"));
        Ok((if is_wanted { quantity } else { 0 }, command, variables))
    }

    /// Waits until that is what runs.
    fn comes_true(&self, point: &str) -> Result<()> {
        let looked = || {
            let (quantity, command, variables) = self.recorded().ok()?;
            let running = self.world.processes(APP);
            let has_its_own = variables == if command.contains("next") { VARIABLES } else { "" };
            let is_true =
                running.len() == quantity && running.values().all(|line| *line == command) && has_its_own;
            is_true.then_some(())
        };
        until(&format!("{point}: what is recorded runs"), SETTLED, looked).map_err(|error| {
            error.context(format!("recorded {:?}, running {:?}", self.recorded(), self.world.processes(APP)))
        })
    }
}

/// The steps of the verb when nobody harms it: which call, and the how manyth of its name. A file that is only read is none.
fn steps(words: &[&str]) -> Result<Vec<(String, usize)>> {
    let log = Trial::of(words)?.traced(&[format!("-etrace={}", STEPS.join(","))])?;
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    let mut steps = Vec::new();
    for (name, rest) in log.lines().filter_map(|line| line.split_once('(')) {
        let times = calls.entry(name).or_default();
        *times += 1;
        let only_reads = name == "openat" && rest.contains("O_RDONLY") && !rest.contains("O_CREAT");
        if !only_reads {
            steps.push((name.to_owned(), *times));
        }
    }
    Ok(steps)
}

/// Kills the verb at each step, or at as many of them as are asked for; what did not hold.
fn sweep(verb: &str, words: &[&str]) -> Result<Vec<String>> {
    let steps = steps(words)?;
    let all = steps.len();
    let points = part::points(steps, 6)?;
    let mut wrong = Vec::new();
    for (index, (name, k)) in points.iter().enumerate() {
        let trial = Trial::of(words)?;
        trial.traced(&[format!("-etrace={name}"), format!("-einject={name}:signal=KILL:when={k}")])?;
        let held = trial.comes_true(&format!("{verb} killed at {name} {k}"));
        wrong.extend(held.err().map(|error| format!("{error:#}")));
        if index % 25 == 24 {
            note(&format!("{verb}: {} of {} points tried, {} wrong", index + 1, points.len(), wrong.len()));
        }
    }
    note(&format!("{verb}: {} of {} points hold, of {all} in all", points.len() - wrong.len(), points.len()));
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
fn what_is_recorded_runs_and_nothing_of_a_gone_app_is_left_wherever_a_destroy_is_killed() {
    holds_at_every_step("destroy");
}

#[test]
fn what_is_recorded_runs_wherever_a_start_is_killed() {
    holds_at_every_step("start");
}
