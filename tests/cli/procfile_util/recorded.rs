//! The recorded cases of Dokku's procfile-util, the original, where the corpus is at hand.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use serde_json::Value;

use crate::{Ran, World};

/// Recorded cases whose bytes we do not give, each with the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("dash-tty", "- is standard input, so a terminal is read to its end"),
    ("check-help", "help that was asked for goes to stdout"),
    ("help-flag", "help that was asked for goes to stdout"),
    ("help-word", "help that was asked for goes to stdout, status 0"),
    ("dotenv-backslash-before-close", "an escaped backslash does not escape the quote"),
    ("dotenv-expansion-odd", "${A:-x} is left alone"),
    ("envfile-missing-expand", "one env file, one message"),
    ("invalid-utf8-replaced-on-show", "the command that is shown is the one that runs, byte for byte"),
    ("no-color-still-colours", "--process-type is required, also of exists"),
    ("export-app-percent", "% in a name of an app is refused"),
    ("export-app-slash", "/ in a name of an app is refused before anything is written"),
    ("export-base-port-ignored", "--default-port is where ports begin"),
    ("export-negative-formation", "a negative count is refused"),
    ("export-unknown-formation", "a type that is not in the Procfile is refused"),
    ("export-target-write-fails-exit-0", "what cannot be written fails"),
    ("export-systemd", "units: WantedBy the target, network-online, escaped commands"),
    ("export-systemd-options", "units: WantedBy the target, network-online, escaped commands"),
    ("export-port-index-counts-skipped", "units: WantedBy the target, network-online, escaped commands"),
    ("export-systemd-user", "units: the command runs through a shell"),
    ("export-launchd", "values are escaped, the command runs through a shell"),
    ("export-sysv-nice", "a script that works"),
    ("export-runit", "the env directory is private, the command runs through a shell, the group is honoured"),
];

fn word<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn decoded(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64 in a recording")
}

fn run_recorded(world: &World, case: &Value) -> Ran {
    if let Some(bytes) = word(case, "procfile_b64") {
        world.put("Procfile", decoded(bytes));
    } else if let Some(text) = word(case, "procfile") {
        world.put("Procfile", text);
    }
    for (name, text) in case.get("files").and_then(Value::as_object).into_iter().flatten() {
        world.put(name, text.as_str().expect("the text of a file"));
    }
    let args: Vec<&str> = case["argv"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut command = world.command(&args);
    if args.contains(&"-e") {
        // On our own an env file is read in our grammar (docs/dotenv.md).
        command.env("PLUGIN_PATH", world.path("plugins")).env("DOKKU_SYSTEM_USER", "dokku");
    }
    for (name, value) in case["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().expect("a variable is text"));
    }
    let mut ran = Ran::of(command, word(case, "stdin").unwrap_or_default().as_bytes());
    // What would surprise is kept and told of, which the original does not do.
    let told = |line: &&str| !line.contains(", as Dokku reads it");
    ran.stderr = ran.stderr.split_inclusive('\n').filter(told).collect();
    ran
}

/// How a run differs from what was wanted, in words; empty if it does not.
fn difference(world: &World, wanted: &Value, ran: &Ran) -> String {
    let mut wrong = Vec::new();
    if wanted["exit"].as_i64() != Some(i64::from(ran.status)) {
        wrong.push(format!("status {}", ran.status));
    }
    let stdout = word(wanted, "stdout_b64").map(decoded);
    let stdout = stdout.or_else(|| word(wanted, "stdout").map(|text| text.as_bytes().to_vec()));
    if stdout.is_some_and(|stdout| stdout != ran.stdout) {
        wrong.push(format!("stdout {:?}", ran.text()));
    }
    if let Some(lines) = wanted.get("stdout_lines_unordered").and_then(Value::as_array) {
        let (text, mut lines) = (ran.text(), lines.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        let mut own: Vec<_> = text.lines().collect();
        own.sort_unstable();
        lines.sort_unstable();
        if own != lines {
            wrong.push(format!("stdout {own:?}"));
        }
    }
    let begins = word(wanted, "stderr_prefix").is_none_or(|text| ran.stderr.starts_with(text));
    let holds = word(wanted, "stderr_contains").is_none_or(|text| ran.stderr.contains(text));
    if !begins || !holds || word(wanted, "stderr_plain").is_some_and(|text| text != ran.stderr) {
        wrong.push(format!("stderr {:?}", ran.stderr));
    }
    for (name, file) in wanted.get("files").and_then(Value::as_object).into_iter().flatten() {
        wrong.extend(file_difference(world, name, file));
    }
    wrong.join("; ")
}

fn file_difference(world: &World, name: &str, wanted: &Value) -> Option<String> {
    let path = world.path(name);
    let text = wanted.as_str().or_else(|| word(wanted, "text"));
    if wanted.is_null() {
        return path.exists().then(|| format!("{name} is there"));
    }
    let Ok(about) = fs::metadata(&path) else { return Some(format!("{name} is missing")) };
    let mode = format!("{:o}", about.permissions().mode() & 0o7777);
    if word(wanted, "mode").is_some_and(|wanted| wanted != mode) {
        return Some(format!("{name} has mode {mode}"));
    }
    let parts = wanted.get("must_contain").and_then(Value::as_array).into_iter().flatten();
    if let Some(part) = parts.filter_map(Value::as_str).find(|part| !world.get(name).contains(part)) {
        return Some(format!("{name} lacks {part:?}"));
    }
    text.filter(|text| *text != world.get(name)).map(|_| format!("{name} holds {:?}", world.get(name)))
}

#[test]
fn the_recorded_cases_of_the_original_hold() {
    let Some(path) = skipped::corpus("contracts/procfile-golden.jsonl") else { return };
    let text = fs::read_to_string(path).expect("the recordings are readable");
    let excused: BTreeMap<&str, &str> = DIFFERENCES.iter().copied().collect();
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a recording is JSON");
        let name = word(&case, "name").expect("a case has a name");
        let ours = case.get("ours");
        let world = World::new();
        let ran = run_recorded(&world, &case);
        let difference = difference(&world, ours.unwrap_or(&case["expect"]), &ran);
        if ours.is_none() && excused.contains_key(name) {
            assert!(!difference.is_empty(), "{name} does not differ any more");
            continue;
        }
        compared += 1;
        if !difference.is_empty() {
            wrong.push(format!("{name}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= 140, "only {compared} cases were compared");
}
