//! What a real pm2 0.7.2 said and did, case by case, each in an empty HOME. The recordings lie beside the checkout; without them
//! the replay says that it was skipped. By default each eighth case is replayed, and all in a long run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::Home;

const CORPUS: &str = "contracts/pm2-recorded";
/// How long a command may run that never ends by itself.
const ENDLESS: Duration = Duration::from_secs(3);
const THREADS: usize = 4;

/// Held by a case whose apps listen on ports.
static PORTS: Mutex<()> = Mutex::new(());
/// The cases whose result is another one here, because pm2 0.7.2 did wrong or pm2 of today does better (docs/pm2.md).
const BETTER: &[(&str, &str)] = &[
    ("start by id of a stopped app", "start ID|NAME|all of today's pm2 is understood"),
    ("start two scripts in one command", "several words of today's pm2 are understood"),
    ("stop two ids in one command", "pm2 ignores surplus words, here each counts"),
    ("restart two ids in one command", "pm2 ignores surplus words, here each counts"),
    ("delete two ids in one command", "pm2 ignores surplus words, here each counts"),
    ("logs --lines 5", "logs --lines N of today's pm2 is understood"),
    ("-i 0", "all counts but N >= 1, max, -N and N% are refused"),
    ("-i -1", "-1 of today's pm2 is understood: one fewer than CPUs"),
    ("-i 2.7", "all counts but N >= 1, max, -N and N% are refused"),
    ("-i 3x", "all counts but N >= 1, max, -N and N% are refused"),
    (
        "interpreter without -x",
        "the interpreter is used, where pm2 has node read shell, which ends again and again",
    ),
    (
        "binary/other extension without options",
        "the first line of the file says what runs it, where pm2 has node read it",
    ),
    (
        "interpreter that does not exist",
        "a missing interpreter is refused, where pm2 reports success and an errored app",
    ),
    ("start many.json twice", "an app that is online is refused, where pm2 starts a duplicate"),
    ("start many.json after stop", "a stopped app is started, where pm2 starts a duplicate"),
    ("restart by stdin", "stdin is read, where pm2 looks for an app called -"),
    (
        "restart an app that ignores TERM, fork",
        "SIGKILL follows, where pm2 reports success and keeps the old process",
    ),
    (
        "delete an app that ignores TERM, fork",
        "SIGKILL follows, where pm2 forgets a process that lives on with its pid file",
    ),
    ("reload many.json (a JSON file is not understood)", "a file is understood, where pm2 does nothing"),
    ("reload id (README says name|all)", "reload of ids of today's pm2 is understood"),
    ("gracefulReload id (README says name|all)", "reload of ids of today's pm2 is understood"),
    ("reload fork-mode app", "reload of fork apps of today's pm2 is understood"),
    (
        "reload of a version that fails at start",
        "status 1 and the old process stays, where pm2 reports success and nothing answers",
    ),
    ("daemon ended by SIGTERM: what becomes of the apps", "apps are adopted, where pm2 ends or orphans them"),
    (
        "daemon killed by SIGKILL: what becomes of the apps",
        "apps are adopted, where pm2 ends or orphans them",
    ),
    ("dump with a stopped one, resurrect", "stopped ones stay stopped, where pm2 starts them"),
    ("resurrect while they run (twice)", "what runs is left alone, where pm2 starts a duplicate"),
    ("stop of an errored app by id", "lists work, where pm2's end with status 1 from then on"),
    (
        "script removed under a running app, then restart",
        "refused before anything ends, where pm2's daemon dies",
    ),
    ("two first commands at once", "both work, where one of pm2's two daemons crashes"),
    ("PM2_NODE_OPTIONS=--harmony", "it works, where pm2 crashed; ES6 mode is said on stderr"),
];
/// What else is another result here, and why.
const DIFFERENCES: &[(&str, &str)] =
    &[("-c good", "pm2 restarts each second, here the field of the seconds is ignored")];

#[test]
fn what_pm2_said_and_did_is_said_and_done_here_or_is_a_difference_that_has_a_reason() {
    let Some(corpus) = skipped::corpus(CORPUS) else { return };
    let cases = fs::read_to_string(corpus.join("cases.jsonl")).expect("cases");
    let fixtures = fs::read(corpus.join("fixtures.json")).expect("fixtures");
    let fixtures: BTreeMap<String, String> = serde_json::from_slice(&fixtures).expect("JSON");
    let cases: Vec<Value> = cases.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is_long = std::env::var_os("FORMATION_TEST_LONG").is_some_and(|long| long == "1");
    let only = std::env::var("FORMATION_TEST_CASE").ok();
    let chosen: Vec<&Value> = cases
        .iter()
        .enumerate()
        .filter(|(number, case)| match &only {
            Some(only) => text(&case["name"]).contains(only.as_str()),
            None => is_long || number % 8 == 0,
        })
        .map(|(_, case)| case)
        .collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(complaint) = complaint(case, &fixtures) {
                        wrong.lock().expect("no thread panicked").push(complaint);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread panicked");
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), chosen.len(), wrong.join("\n"));
    assert!(DIFFERENCES.len() * 10 <= cases.len(), "at most one in ten may differ");
    assert!(!chosen.is_empty(), "the recordings hold no such case");
}

fn complaint(case: &Value, fixtures: &BTreeMap<String, String>) -> Option<String> {
    let name = text(&case["name"]);
    // These listen on ports that others listen on too.
    let line = case["before"].to_string() + &case["argv"].to_string();
    let is_alone = ["port.json", "srv", "bye", "stuck.js", "web"].iter().any(|word| line.contains(word));
    let _alone = is_alone.then(|| PORTS.lock().unwrap_or_else(PoisonError::into_inner));
    let home = Home::new();
    fs::remove_dir_all(home.app("")).expect("it was there");
    fs::create_dir(home.app("")).expect("a directory");
    for (file, content) in fixtures {
        fs::write(home.app(file), content).expect("a file");
    }
    for step in case["before"].as_array().into_iter().flatten() {
        run(&home, step, case, None);
    }
    let (status, stdout) = run(&home, &case["argv"], case, case["stdin"].as_str());
    let mut problems = Vec::new();
    let wanted = case["exit"].as_i64();
    // pm2's own crashes have status 8.
    let wanted = wanted.map(|status| i64::from(status != 0));
    if let (Some(wanted), Some(status)) = (wanted, status)
        && wanted != i64::from(status != 0)
    {
        problems.push(format!("  status {status}, not {wanted}"));
    }
    compare(&home, "stdout", text(&case["stdout"]), &stdout, &mut problems);
    let is_dying = ["fast.js", "throw.js"].iter().any(|script| line.contains(script));
    for after in case["after"].as_array().into_iter().flatten() {
        let (_, stdout) = run(&home, &after["cmd"], case, None);
        if after["cmd"].is_string() || is_dying {
            // What a shell shows of files and processes is compared elsewhere, or differs by machine.
            continue;
        }
        compare(&home, &after["cmd"].to_string(), text(&after["stdout"]), &stdout, &mut problems);
    }
    let logs: BTreeSet<&str> =
        case["files"].as_array().into_iter().flatten().map(|file| text(&file["path"])).collect();
    for path in logs.into_iter().filter(|path| is_compared(path)) {
        if !Path::new(&path.replace("<HOME>", &home.path().to_string_lossy())).exists() {
            problems.push(format!("  no {path}"));
        }
    }
    let difference = BETTER.iter().chain(DIFFERENCES).find(|(listed, _)| *listed == name);
    match (difference, problems.is_empty()) {
        (None, false) => Some(format!("{name} {}\n{}", case["argv"], problems.join("\n"))),
        (Some((_, reason)), true) => Some(format!("{name}: is no difference any more: {reason}")),
        _ => None,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a file of pm2's has to be there. The pid of the daemon is that of the root here, which runs only while there is an app.
fn is_compared(path: &str) -> bool {
    path.contains("/.pm2/") && !path.ends_with("/pm2.pid")
}

/// Runs pm2's words, or a line of shell; the status, unless it had to be ended, and stdout.
fn run(home: &Home, words: &Value, case: &Value, stdin: Option<&str>) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_ps-pm2");
    let mut command = match words {
        Value::Array(words) => {
            let mut command = Command::new(program);
            command.args(words.iter().map(text));
            command
        }
        line => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(text(line).replace("/tmp/u", &home.path().to_string_lossy()));
            command
        }
    };
    command.current_dir(home.app("")).env_clear().env("HOME", home.path()).env("PM2", program);
    command.env("PWD", home.app("").components().collect::<std::path::PathBuf>());
    command.env("PATH", std::env::var("PATH").expect("a PATH"));
    for (name, value) in case["env"].as_object().into_iter().flatten() {
        command.env(name, text(value));
    }
    let input = home.path().join("stdin");
    fs::write(&input, stdin.unwrap_or_default()).expect("a file");
    command.stdin(fs::File::open(&input).expect("a file")).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it runs");
    let mut out = child.stdout.take().expect("a pipe");
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).expect("readable");
        String::from_utf8_lossy(&text).into_owned()
    });
    let is_endless = case["exit"].is_string() && *words == case["argv"];
    let deadline = Instant::now() + if is_endless { ENDLESS } else { Duration::from_secs(60) };
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status.code();
        }
        if Instant::now() >= deadline {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
            break None;
        }
        thread::sleep(Duration::from_millis(10));
    };
    (status, reader.join().expect("it reads"))
}

fn compare(home: &Home, what: &str, wanted: &str, said: &str, problems: &mut Vec<String>) {
    let said = said.replace(&*home.path().to_string_lossy(), "<HOME>");
    let (wanted, said) = (normal(wanted), normal(&said));
    if wanted != said {
        let missing: Vec<&String> = wanted.iter().filter(|line| !said.contains(line)).collect();
        let more: Vec<&String> = said.iter().filter(|line| !wanted.contains(line)).collect();
        problems.push(format!("  {what}: missing {missing:#?}, instead {more:#?}"));
    }
}

/// The lines of an output without colours, without what pm2 says of its daemon, and without what differs from run to run.
fn normal(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain += before;
        // A sequence ends with a letter behind a bracket, or is one character.
        let end =
            if after.starts_with('[') { after.find(|c: char| c.is_ascii_alphabetic()) } else { Some(0) };
        rest = &after[end.map_or(after.len(), |end| end + 1)..];
    }
    plain += rest;
    if plain.contains(" monitoring :") || plain.contains(" monitoring :\n") {
        return monitored(&plain);
    }
    let is_daemons = |line: &&str| {
        ["Initializing folder", "Creating PM2", "{ online: true", "┌", "├", "└"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let mut lines: Vec<String> = plain.lines().filter(|line| !is_daemons(line)).map(masked).collect();
    if lines.first().is_some_and(|line| line.starts_with("########")) {
        // How many lines there are is a matter of time.
        lines.sort();
        lines.dedup();
    }
    lines
}

/// What a screen shows, without its numbers, each thing once.
fn monitored(screen: &str) -> Vec<String> {
    let names =
        screen.split("\u{25cf} ").skip(1).map(|rest| rest.lines().next().unwrap_or_default().to_owned());
    let modes = screen.lines().filter(|line| line.ends_with("_mode]")).map(str::to_owned);
    let all: BTreeSet<String> = names.chain(modes).collect();
    all.into_iter().collect()
}

fn masked(line: &str) -> String {
    if line.starts_with('│') {
        let cells: Vec<&str> = line.split('│').map(str::trim).collect();
        // What dies again and again has died as often as there was time for.
        let is_dying = cells.len() > 7 && ["fast", "throw"].contains(&cells[1]);
        let left_out: &[usize] = if is_dying { &[4, 5, 7, 8, 9] } else { &[4, 8, 9] };
        let is_kept = |number: &usize| !left_out.contains(number);
        return (0..cells.len()).filter(is_kept).map(|number| cells[number]).collect::<Vec<_>>().join("|");
    }
    for name in ["PM2 dameon PID = ", "pid : ", "uptime : ", "memory usage : "] {
        if line.starts_with(name) {
            return name.to_owned();
        }
    }
    if line.starts_with("[{\"pid\"") || line.starts_with("[{\"pm2") {
        return json(line);
    }
    if let Some((_, note)) = line.strip_prefix("[0 ").and_then(|rest| rest.split_once(" : ")) {
        return note.to_owned();
    }
    if let Some((before, after)) = line.split_once(") ").filter(|_| line.starts_with('[')) {
        return format!("{before}) {}", after.split_once("] ").map_or(after, |(_, line)| line));
    }
    for name in ["pid: ", "[ { pid: ", "created_at: ", "pm_uptime: ", "monit: ", "unstable_restarts: "] {
        if let Some(at) = line.find(name) {
            return line[..at + name.len()].to_owned();
        }
    }
    line.to_owned()
}

/// A line of `jlist`: keys in their order, without values that differ from run to run and without variables.
fn json(line: &str) -> String {
    let mut text = line.to_owned();
    for key in ["pid", "created_at", "pm_uptime", "memory", "cpu", "unstable_restarts"] {
        let mut shorter = String::new();
        let mut rest = text.as_str();
        let name = format!("\"{key}\":");
        while let Some(at) = rest.find(&name) {
            shorter += &rest[..at + name.len()];
            rest = &rest[at + name.len()..];
            rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
        }
        text = shorter + rest;
    }
    while let Some(at) = text.find("\"env\":{") {
        let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
        text.replace_range(at..end, "\"env\":");
    }
    text
}
