//! Every lifecycle command that was recorded from a real Dokku: the same acting triggers with the same arguments in the
//! same order, the same words of ps's own on the same streams, the same exit status.

use std::fs;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::run;
use crate::world::{Container, Dokku};

/// Answered from files and one request to the engine, or called by Dokku's front-end around us.
const NOT_OURS: [&str; 4] = ["scheduler-detect", "scheduler-app-status", "scheduler-is-deployed", "builds-"];

/// Recorded cases that ours answers otherwise, and why.
const DIFFERENCES: [(&str, &str); 2] = [
    ("restart-nope", "a type that the app does not have is refused; Dokku goes through a whole post-deploy"),
    ("all-and-app", "--all with an app is refused; Dokku stops every app"),
];

/// What ps itself says on stdout; the rest is other plugins'.
const OUR_STEPS: [&str; 6] = [
    "-----> Stopping ",
    "-----> Running ",
    "-----> Starting app",
    "-----> Clearing potentially",
    "-----> Retiring old containers",
    "-----> Retiring expired run",
];

/// Warnings of other plugins' that look like ours.
const THEIR_WARNINGS: [&str; 1] = [" !     Image "];

struct Case {
    name: String,
    words: Vec<String>,
    status: i32,
    lines: Vec<String>,
    warnings: Vec<String>,
    calls: Vec<String>,
    is_parallel: bool,
    changed: Vec<(String, String)>,
}

#[test]
fn every_recorded_command_calls_the_same_triggers_in_the_same_order_and_says_the_same() {
    let Some(cases) = cases() else { return };
    let Some(container) = Container::start() else { return };
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in &cases {
        let complaint = replay(case, &container);
        match (DIFFERENCES.iter().find(|(name, _)| *name == case.name), complaint) {
            (None, Some(complaint)) => wrong.push(format!("{}: {complaint}", case.name)),
            (Some((_, reason)), None) => {
                wrong.push(format!("{}: no difference any more: {reason}", case.name));
            }
            _ => compared += 1,
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(compared >= 24, "the recording has {compared} such commands");
}

fn replay(case: &Case, container: &Container) -> Option<String> {
    let dokku = Dokku::new();
    prepare(&dokku, &case.name, container);
    let words: Vec<&str> = case.words.iter().map(String::as_str).collect();
    let ran = run(&mut merged(&dokku, &words));
    let lines = ran.stdout.lines().filter(|line| is_ours(line)).map(str::to_owned);
    let warnings =
        ran.stdout.lines().chain(ran.stderr.lines()).filter(|line| is_warning(line)).map(str::to_owned);
    let calls: Vec<String> = dokku.calls().into_iter().filter(|call| is_compared(call)).collect();
    let seen =
        (ran.status, sorted(case, lines.collect()), sorted(case, warnings.collect()), sorted(case, calls));
    let expected = (
        case.status,
        sorted(case, case.lines.clone()),
        sorted(case, case.warnings.clone()),
        sorted(case, case.calls.clone()),
    );
    if seen != expected {
        return Some(format!(
            "{seen:?}\n  recorded {expected:?}\n  stdout {} stderr {}",
            ran.stdout, ran.stderr
        ));
    }
    let differs = case.changed.iter().find(|(path, content)| dokku.place.read(path) != *content);
    differs.map(|(path, content)| format!("{path} holds {:?}, recorded {content:?}", dokku.place.read(path)))
}

/// What runs side by side comes in any order.
fn sorted(case: &Case, mut lines: Vec<String>) -> Vec<String> {
    if case.is_parallel {
        lines.sort();
    }
    lines
}

/// The front-end has both streams of these two in one.
fn merged(dokku: &Dokku, words: &[&str]) -> Command {
    if !["restart", "rebuild"].contains(&words[0]) {
        return dokku.ps(words);
    }
    let mut command = dokku.ps(&[]);
    let program = command.get_program().to_owned();
    let mut shell = dokku.place.command_inside_dokku("/bin/sh");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    command = shell;
    command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(program).args(words);
    command
}

fn prepare(dokku: &Dokku, name: &str, container: &Container) {
    let runs = ["start-again", "restore", "restore-all", "restart", "restart-worker", "stop", "stop-all"];
    let id = if runs.contains(&name) { container.0.clone() } else { "0".repeat(64) };
    dokku.container("demo", &id);
    match name {
        "restore-stopped" => dokku.place.write("lib/config/ps/demo/restore", "false"),
        "rebuild-idle" => dokku.hook("receive-app", "exit 1"),
        _ => (),
    }
}

fn is_compared(call: &str) -> bool {
    let name = call.strip_prefix("trigger ").unwrap_or(call);
    call.starts_with("trigger ") && !NOT_OURS.iter().any(|prefix| name.starts_with(prefix))
}

fn is_ours(line: &str) -> bool {
    OUR_STEPS.iter().any(|step| line.starts_with(step)) && !line.starts_with("-----> Running post-deploy")
}

fn is_warning(line: &str) -> bool {
    line.starts_with(" !     ") && !THEIR_WARNINGS.iter().any(|prefix| line.starts_with(prefix))
}

fn cases() -> Option<Vec<Case>> {
    let path = skipped::corpus("contracts/dokku-recorded/lifecycle.jsonl")?;
    let text = fs::read_to_string(path).expect("a recording can be read");
    let recorded = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a case"));
    Some(recorded.filter_map(|case| read(&case)).collect())
}

fn read(case: &Value) -> Option<Case> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let words: Vec<String> = case["argv"].as_array().expect("words").iter().skip(1).map(text).collect();
    let verb = words[0].strip_prefix("ps:")?.to_owned();
    if !["start", "stop", "restart", "rebuild", "restore", "retire"].contains(&verb.as_str()) {
        return None;
    }
    let calls =
        case["calls"].as_array().into_iter().flatten().filter(|call| call[0] == 0).map(|call| text(&call[1]));
    let (stdout, stderr) = (text(&case["stdout"]), text(&case["stderr"]));
    let restore = case["files_changed"]["$DOKKU_LIB_ROOT/config/ps/demo/restore"][1].as_str();
    // What only a deploy writes, no hook of the test does.
    let changed =
        restore.filter(|_| verb == "stop").map(|value| ("lib/config/ps/demo/restore".into(), value.into()));
    Some(Case {
        name: text(&case["name"]),
        is_parallel: words.iter().any(|word| word == "--parallel"),
        words: std::iter::once(verb).chain(words.into_iter().skip(1)).collect(),
        status: i32::try_from(case["exit"].as_i64().expect("a status")).expect("small"),
        lines: stdout.lines().filter(|line| is_ours(line)).map(str::to_owned).collect(),
        warnings: stdout
            .lines()
            .chain(stderr.lines())
            .filter(|line| is_warning(line))
            .map(str::to_owned)
            .collect(),
        calls: calls.filter(|call| is_compared(call)).collect(),
        changed: changed.into_iter().collect(),
    })
}
