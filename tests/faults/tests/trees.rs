//! A checked-in set of state trees that nobody can have meant (`trees/`), each file of each tree in turn in an else sound
//! world, and every verb over it: it ends in time and without a panic, who reads the file says which one it is, a formation is
//! never guessed, and a refusal leaves everything as it was.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use faults::sandbox::Sandbox;
use faults::{long, note, programs};

/// After this long a verb counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);
/// Larger files are not compared by content.
const COMPARED: u64 = 1 << 20;
const NOBODY: u32 = 65534;

const SCALE: &str = "lib/config/ps/hello/scale";
const OLD: &str = "lib/config/ps/hello/scale.old";
const POLICY: &str = "lib/config/ps/hello/restart-policy";
const CAN_SCALE: &str = "lib/config/ps/hello/can-scale";
const TIMEOUT: &str = "lib/config/ps/--global/stop-timeout-seconds";
const DEPLOYED: &str = "lib/config/common/hello/deployed";
const SCHEDULER: &str = "lib/config/scheduler/hello/selected";
const PROCFILE: &str = "lib/data/ps/hello/Procfile";
const STATUS: &str = "lib/data/scheduler-native/hello/web.1/status.json";
const SPEC: &str = "lib/data/scheduler-native/hello/spec2.json";
const RECORD: &str = "home/box/CONTAINER.web.1";

const FILES: [&str; 11] =
    [SCALE, OLD, POLICY, CAN_SCALE, TIMEOUT, DEPLOYED, SCHEDULER, PROCFILE, STATUS, SPEC, RECORD];

/// A verb, and the files that it cannot do without.
struct Verb {
    line: &'static str,
    reads: &'static [&'static str],
}

impl Verb {
    /// Whether it wants to know how the one container is, and there is no engine to tell.
    fn asks_an_engine(&self) -> bool {
        self.reads.contains(&RECORD) || self.line == "ps-lifecycle status"
    }
}

const fn verb(line: &'static str, reads: &'static [&'static str]) -> Verb {
    Verb { line, reads }
}

const FORMATION: &[&str] = &[SCALE, OLD];
const OF_CHANGE: &[&str] = &[SCALE, OLD, CAN_SCALE, PROCFILE];
const OF_TRIGGER: &[&str] = &[SCALE, OLD, PROCFILE];
const OF_REPORT: &[&str] = &[SCALE, POLICY, CAN_SCALE, TIMEOUT, DEPLOYED, SCHEDULER, STATUS];
const OF_ALL: &[&str] = &[POLICY, CAN_SCALE, TIMEOUT, DEPLOYED, SCHEDULER, STATUS, RECORD];

const VERBS: &[Verb] = &[
    verb("ps-scale hello", FORMATION),
    verb("ps-scale hello --quiet", FORMATION),
    verb("ps-scale hello --json", FORMATION),
    verb("ps-scale hello --format csv", FORMATION),
    verb("ps-scale hello --dry-run --json", &[SCALE, OLD, PROCFILE, SCHEDULER, DEPLOYED, STATUS]),
    verb("ps-scale hello --dry-run web=3", &[SCALE, OLD, CAN_SCALE, PROCFILE, SCHEDULER, DEPLOYED, STATUS]),
    verb("ps-scale --from-trigger ps-current-scale hello", FORMATION),
    verb("ps-scale --skip-deploy hello web=3", OF_CHANGE),
    verb("ps-scale --skip-deploy hello web+=1", OF_CHANGE),
    verb("ps-scale --skip-deploy --replace hello web=3", OF_CHANGE),
    verb("ps-scale --skip-deploy --clear hello", OF_CHANGE),
    verb("ps-scale --from-trigger ps-set-scale hello true false web=3", OF_TRIGGER),
    verb("ps-scale --from-trigger ps-set-scale hello true true web=3", OF_TRIGGER),
    verb("ps-scale --from-trigger post-release-builder herokuish hello image", OF_TRIGGER),
    verb("ps-scale --from-trigger ps-can-scale hello false", &[]),
    verb("ps-set --get hello restart-policy", &[POLICY]),
    verb("ps-set --get --global stop-timeout-seconds", &[TIMEOUT]),
    verb("ps-set --list hello", &[POLICY, TIMEOUT]),
    verb("ps-set --list --json", &[POLICY, TIMEOUT]),
    verb("ps-set --list --global --format csv", &[TIMEOUT]),
    verb("ps-set --from-trigger ps-get-property hello restart-policy", &[POLICY]),
    verb("ps-set hello start-cmd x", &[]),
    verb("ps-set hello restart-policy no", &[]),
    verb("ps-set hello restart-policy", &[]),
    verb("ps-set --global stop-timeout-seconds 9", &[]),
    verb("ps-report hello", OF_REPORT),
    verb("ps-report hello --json", OF_REPORT),
    verb("ps-report", OF_ALL),
    verb("ps-report --format jsonl", OF_ALL),
    verb("ps-report --format csv", OF_ALL),
    verb("ps-report --global", &[TIMEOUT]),
    verb("ps-report hello --ps-can-scale", &[CAN_SCALE]),
    verb("ps-report hello --ps-computed-restart-policy", &[POLICY]),
    verb("ps-report hello --deployed", &[DEPLOYED]),
    verb("ps-report hello --running", &[SCHEDULER, STATUS]),
    verb("ps-report hello --status-web.1", &[SCHEDULER, STATUS]),
    verb("ps-report box --processes", &[RECORD]),
    verb("ps-lifecycle status", &[SCHEDULER, STATUS]),
    verb("ps-lifecycle status hello --json", &[SCHEDULER, STATUS]),
    verb("ps-lifecycle inspect hello", &[SCHEDULER, SPEC]),
    verb("ps-lifecycle logs hello -n 5", &[SCHEDULER]),
];

/// Trees whose files lie in `trees/`.
const CHECKED_IN: [&str; 6] = ["truncated", "nul", "not-utf8", "crlf", "directory", "symlink"];
/// What no repository can hold.
const MADE: [&str; 3] = ["fifo", "100-mb", "no-permission"];

/// Whether a file spoilt in this way cannot be used. Line ends of other systems do no harm, what is cut short cannot be
/// told from a shorter word, and a command may hold any byte.
fn is_fault(tree: &str, file: &str) -> bool {
    match tree {
        "crlf" => false,
        "not-utf8" => file != PROCFILE,
        "truncated" => [SCALE, OLD, PROCFILE, STATUS, SPEC].contains(&file),
        _ => true,
    }
}

fn trees() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("trees")
}

/// Copies a tree over what is there; symlinks as they are.
fn lay(from: &Path, to: &Path) {
    let metadata = from.symlink_metadata().unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    if metadata.is_dir() {
        if !to.is_dir() {
            let _ = fs::remove_file(to);
            fs::create_dir_all(to).expect("a directory");
        }
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            lay(&entry.path(), &to.join(entry.file_name()));
        }
    } else if metadata.is_symlink() {
        let _ = fs::remove_file(to);
        symlink(fs::read_link(from).expect("a link"), to).expect("a link");
    } else {
        fs::write(to, fs::read(from).expect("a file")).expect("a copy");
    }
}

fn spoil(tree: &str, file: &str, world: &Path) {
    let path = world.join(file);
    match tree {
        "fifo" => {
            fs::remove_file(&path).expect("removed");
            assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
        }
        "100-mb" => {
            let file = File::options().write(true).open(&path).expect("a file");
            file.set_len(100_000_000).expect("a large file that takes no room");
        }
        "no-permission" => {
            give_to_nobody(world);
            chown(&path, Some(0), Some(0)).expect("taken away");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        checked_in => lay(&trees().join(checked_in).join(file), &path),
    }
}

fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a directory");
        entries.for_each(|entry| give_to_nobody(&entry.expect("an entry").path()));
    }
}

struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Runs a verb, as nobody if `is_nobody`; fails where it hangs, panics, or is ended by a signal.
fn run(sandbox: &Sandbox, line: &str, is_nobody: bool) -> Ran {
    let words: Vec<&str> = line.split_whitespace().collect();
    let program = programs::path(words[0]).expect("a built program");
    let mut command = if is_nobody {
        let id = NOBODY.to_string();
        let mut command = sandbox.command(Path::new("setpriv"));
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(program);
        command
    } else {
        sandbox.command(&program)
    };
    let [out, said] = ["stdout", "stderr"].map(|name| sandbox.scratch(name));
    command.args(&words[1..]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock").stdin(Stdio::null());
    command.stdout(File::create(&out).expect("a file")).stderr(File::create(&said).expect("a file"));
    let mut child = command.spawn().expect("it starts");
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().expect("our child") {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().expect("our child");
                panic!("{line} still ran after {LIMIT:?}");
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let text = |path| String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned();
    let ran = Ran { status: status.code().unwrap_or(-1), stdout: text(&out), stderr: text(&said) };
    assert!(!ran.stderr.contains("panicked"), "{line}: {}", ran.stderr);
    assert!((0..=1).contains(&ran.status), "{line}: {status}: {}", ran.stderr);
    ran
}

/// What lies in the world but for locks and stages: what it is, how large, and what is in it.
type State = BTreeMap<PathBuf, (bool, u64, Option<Vec<u8>>)>;

fn look(world: &Path) -> State {
    let mut state = State::new();
    let mut waiting = vec![world.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("it is there");
            if metadata.is_dir() {
                if path.file_name().is_some_and(|name| name != ".stage" && name != "formation") {
                    waiting.push(path);
                }
                continue;
            }
            let is_small = metadata.is_file() && metadata.len() <= COMPARED;
            let content = is_small.then(|| fs::read(&path).expect("a file"));
            state.insert(path, (metadata.is_file(), metadata.len(), content));
        }
    }
    state
}

fn sound_world() -> Sandbox {
    let sandbox = Sandbox::new().expect("a sandbox");
    lay(&trees().join("sound"), &sandbox.world());
    let above = sandbox.world();
    let above = above.parent().expect("a sandbox lies somewhere");
    fs::set_permissions(above, fs::Permissions::from_mode(0o755)).expect("a mode");
    sandbox
}

/// A world with one spoilt file, and how it looks.
struct Spoilt {
    tree: &'static str,
    file: &'static str,
    sandbox: Sandbox,
    before: State,
}

impl Spoilt {
    fn new(tree: &'static str, file: &'static str) -> Self {
        let sandbox = sound_world();
        spoil(tree, file, &sandbox.world());
        let before = look(&sandbox.world());
        Self { tree, file, sandbox, before }
    }

    /// What is wrong with what came of a verb, and whether it changed something.
    fn judge(&self, verb: &Verb) -> (Option<&'static str>, Ran, bool) {
        let Self { tree, file, sandbox, before } = self;
        let ran = run(sandbox, verb.line, *tree == "no-permission");
        let is_refused = ran.status == 1;
        let is_named = ran.stderr.contains(&sandbox.world().join(file).display().to_string());
        let is_changed = look(&sandbox.world()) != *before;
        let is_wanted = verb.reads.contains(file) && is_fault(tree, file);
        let is_formation = [SCALE, OLD].contains(file) && verb.line.starts_with("ps-scale");
        let is_harmless = *tree == "crlf" && !verb.asks_an_engine();
        let wrong = if is_wanted && !(is_refused && is_named) {
            Some("was not refused by name")
        } else if is_refused && is_changed {
            Some("was refused, but something changed")
        } else if is_wanted && is_formation && !ran.stdout.is_empty() {
            Some("printed a formation that nobody knows")
        } else if is_harmless && is_refused {
            Some("was refused for its line ends")
        } else {
            None
        };
        (wrong, ran, is_changed)
    }
}

/// Every verb over one spoilt file: how many there were, and what is wrong.
fn every_verb_over(tree: &'static str, file: &'static str) -> (usize, Vec<String>) {
    let mut spoilt = Spoilt::new(tree, file);
    let (mut runs, mut wrong) = (0, Vec::new());
    for verb in VERBS.iter().filter(|verb| long() || verb.reads.contains(&file) || verb.reads.is_empty()) {
        let (complaint, ran, is_changed) = spoilt.judge(verb);
        runs += 1;
        wrong.extend(complaint.map(|what| {
            format!("{tree} {file}: {} {what}: {} {:?} {:?}", verb.line, ran.status, ran.stdout, ran.stderr)
        }));
        if is_changed {
            spoilt = Spoilt::new(tree, file);
        }
    }
    (runs, wrong)
}

fn every_verb_over_each_file_of(tree: &'static str) {
    let (mut runs, mut wrong) = (0, Vec::new());
    for file in FILES {
        let (more, complaints) = every_verb_over(tree, file);
        runs += more;
        wrong.extend(complaints);
    }
    note(&format!("{tree}: {runs} verbs over {} files", FILES.len()));
    assert!(wrong.is_empty(), "{} of {runs}:\n{}", wrong.len(), wrong.join("\n"));
}

fn build() {
    programs::build().expect("the programs build");
}

#[test]
fn in_the_sound_world_every_verb_works() {
    build();
    for verb in VERBS {
        let sandbox = sound_world();
        let ran = run(&sandbox, verb.line, false);
        assert_eq!(ran.status, i32::from(verb.asks_an_engine()), "{}: {}", verb.line, ran.stderr);
    }
}

#[test]
fn every_verb_over_every_tree_that_is_checked_in() {
    build();
    CHECKED_IN.into_iter().for_each(every_verb_over_each_file_of);
}

#[test]
fn every_verb_over_what_no_repository_can_hold() {
    build();
    for tree in MADE {
        if tree == "no-permission" && chown(sound_world().world(), Some(NOBODY), Some(NOBODY)).is_err() {
            skipped::skip("running programs as nobody needs root");
            continue;
        }
        every_verb_over_each_file_of(tree);
    }
}

#[test]
fn the_set_has_each_file_in_each_tree() {
    for tree in CHECKED_IN.iter().chain(&["sound"]) {
        for file in FILES {
            assert!(trees().join(tree).join(file).symlink_metadata().is_ok(), "{tree} has no {file}");
        }
    }
}
