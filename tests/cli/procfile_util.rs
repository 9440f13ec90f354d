//! `procfile-util` as a shell sees it: recorded cases of the original where they are at hand, our own golden cases,
//! and what no recording can show.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine as _;
use serde_json::Value;

#[path = "procfile_util/exports.rs"]
mod exports;
#[path = "procfile_util/proposals.rs"]
mod proposals;

const PROGRAM: &str = env!("CARGO_BIN_EXE_procfile-util");
const DEADLINE: Duration = Duration::from_secs(20);

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

/// A directory of its own, with umask 022 and an empty environment.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn with(procfile: impl AsRef<[u8]>) -> Self {
        let world = Self::new();
        world.put("Procfile", procfile);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }

    fn get(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).expect("a file that is there")).into_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 022; exec \"$0\" \"$@\"", PROGRAM]).args(args);
        command.current_dir(self.0.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.0.path());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args), b"")
    }

    fn feed(&self, args: &[&str], stdin: &[u8]) -> Ran {
        Ran::of(self.command(args), stdin)
    }
}

/// What came of a run.
#[derive(Debug)]
struct Ran {
    status: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn of(command: Command, stdin: &[u8]) -> Self {
        let output: Output = assert_cmd::Command::from_std(command)
            .timeout(DEADLINE)
            .write_stdin(stdin.to_vec())
            .output()
            .expect("the program runs");
        Self {
            status: output.status.code().expect("the program ends within its deadline"),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn all(&self) -> (i32, String, &str) {
        (self.status, self.text(), &self.stderr)
    }
}

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

#[test]
fn every_real_procfile_gets_one_verdict_from_all_commands() {
    let Some(corpus) = skipped::corpus("corpus/procfile") else { return };
    let mut files = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is readable") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file of the corpus");
        let world = World::with(&bytes);
        let (check, list) = (world.run(&["check"]), world.run(&["list"]));
        assert_eq!(check.status, list.status, "{}", path.display());
        let names = list.text();
        if list.status == 0 {
            let joined = names.lines().collect::<Vec<_>>().join(", ");
            assert_eq!(check.text(), format!("valid procfile detected {joined}\n"));
        } else {
            let first = check.stderr.lines().next().unwrap_or_default();
            assert_eq!(Some(first), list.stderr.lines().next(), "{}", path.display());
        }
        for name in names.lines() {
            assert_eq!(world.run(&["show", "-p", name]).status, 0, "{name} of {}", path.display());
        }
        files += 1;
    }
    assert!(files > 50, "only {files} files in the corpus");
}

#[test]
fn set_then_delete_restores_every_file_of_the_corpus() {
    let Some(corpus) = skipped::corpus("corpus/procfile") else { return };
    for entry in fs::read_dir(corpus).expect("the corpus is readable") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file of the corpus");
        let world = World::with(&bytes);
        if world.run(&["check"]).status != 0 {
            continue;
        }
        let set = world.run(&["set", "-p", "zz-new", "-c", "run me"]);
        assert_eq!(set.all(), (0, String::new(), ""), "{}", path.display());
        assert_eq!(world.run(&["show", "-p", "zz-new"]).text(), "run me\n");
        assert_eq!(world.run(&["delete", "-p", "zz-new"]).status, 0);
        let restored = fs::read(world.path("Procfile")).expect("it is there");
        let added = restored.strip_prefix(bytes.as_slice());
        // A last line without an end needs one before another can follow.
        let ends: &[&[u8]] = if bytes.ends_with(b"\n") { &[b""] } else { &[b"\n", b"\r\n"] };
        assert!(added.is_some_and(|added| ends.contains(&added)), "{}", path.display());
    }
}

#[test]
fn check_reports_all_problems_of_all_files() {
    let world = World::with("web; a\nweb: b\nweb: c\nx: # y\n");
    let plain = world.run(&["check"]);
    assert_eq!(
        plain.all(),
        (
            1,
            String::new(),
            " !     invalid line in procfile, line 1\n !     process names must be unique, line 3\n !     comment specified in place of command, line 4\n"
        )
    );
    world.put("sub/Procfile.dev", "web: a\n");
    world.put("sub/.git/Procfile", "broken\n");
    let several = world.run(&["check", "-P", "Procfile", "-P", "sub", "-P", "nope"]);
    assert_eq!(several.status, 1);
    assert_eq!(several.text(), "sub/Procfile.dev: valid procfile detected web\n");
    assert!(
        several.stderr.starts_with(" !     Procfile: invalid line in procfile, line 1\n"),
        "{}",
        several.stderr
    );
    assert!(
        several.stderr.ends_with(" !     nope: open nope: no such file or directory\n"),
        "{}",
        several.stderr
    );
}

#[test]
fn a_directory_without_a_procfile_hides_nothing_of_the_others() {
    let world = World::with("web: a\n");
    fs::create_dir(world.path("empty")).expect("a directory");
    let ran = world.run(&["check", "-P", "empty", "-P", "Procfile"]);
    let words = " !     empty: read empty: is a directory without a Procfile\n";
    assert_eq!(ran.all(), (1, "Procfile: valid procfile detected web\n".to_owned(), words));
    let made = Command::new("mkfifo").arg(world.path("empty/Procfile")).status().expect("mkfifo runs");
    assert!(made.success());
    let alone = world.run(&["check", "-P", "empty"]);
    assert_eq!(alone.stderr, " !     read empty: is a directory without a Procfile\n");
}

#[test]
fn a_person_at_a_terminal_is_told_the_way_out_and_a_script_is_not() {
    if !has("script") {
        return;
    }
    let world = World::with("web: a\nworker: b\n");
    for (args, way_out) in [
        (&["show", "-p", "wbe"][..], "did you mean web?"),
        (&["exists", "-p", "clock"], "there is no clock, but web, worker"),
        (&["delete", "-p", "workre"], "did you mean worker?"),
        (&["list", "-P", "nope"], "-P names another file"),
        (&["show", "web"], "name the process type with -p"),
        (&["check", "--wran"], "did you mean --warn?"),
        (&["set", "-p", "my.web", "-c", "x"], "a name is letters"),
        (&["export", "--location", "o", "--formation", "web:2"], "web=2,worker=1"),
    ] {
        assert!(!world.run(args).stderr.contains(way_out), "{args:?}");
        let mut command = Command::new("script");
        command.args(["-qec", &[&[PROGRAM][..], args].concat().join(" "), "/dev/null"]);
        command.current_dir(world.0.path()).env("TERM", "dumb");
        let seen = Ran::of(command, b"").text();
        assert!(seen.contains(way_out), "{way_out:?} in {seen}");
    }
    assert!(world.run(&["chekc"]).stderr.ends_with("\n\"chekc\" is no command: did you mean check?\n"));
}

#[test]
fn a_rich_report_shows_the_line_a_caret_and_a_proposal() {
    let world = World::with("web; bin/serve\n");
    let text = world.run(&["check", "--format", "text"]).stderr;
    for part in [
        " !     invalid line in procfile, line 1\n",
        "Procfile:1:4",
        "1 | web; bin/serve",
        "   ^ expected",
        "write `web: bin/serve`",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn ci_gets_json_and_annotations() {
    let world = World::with("web; a\n");
    let json: Value =
        serde_json::from_slice(&world.run(&["check", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(json["valid"], false);
    assert_eq!(json["findings"][0]["code"], "invalid-line");
    assert_eq!(json["findings"][0]["suggestion"], "web: a");
    let github = world.run(&["check", "--format", "github"]).text();
    assert!(github.starts_with("::error file=Procfile,line=1,col=4,title=invalid-line::"), "{github}");
    let world = World::with("web: a $PORT\n");
    let listed: Value =
        serde_json::from_slice(&world.run(&["list", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(listed[0]["process_type"], "web");
    let shown = world.run(&["show", "-p", "web", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(shown["command"], "a 5000");
}

#[test]
fn warnings_are_said_when_asked_for_and_fail_when_denied() {
    let world = World::with("wbe: a\n");
    assert_eq!(world.run(&["check"]).all(), (0, "valid procfile detected wbe\n".to_owned(), ""));
    let warned = world.run(&["check", "--warn"]);
    assert_eq!(warned.status, 0);
    assert!(warned.stderr.contains("did you mean web?"), "{}", warned.stderr);
    assert_eq!(world.run(&["check", "--deny-warnings"]).status, 1);
}

#[test]
fn a_command_of_which_a_part_will_run_is_told_unasked_and_changes_neither_stdout_nor_status() {
    for (procfile, line) in [
        ("web: sh -c \"echo joined #general; sleep 99\"\n", 1),
        ("# a\nweb: sh -c 'x // y'\n", 2),
        ("web: serve \\\nworker: b\n", 1),
    ] {
        let world = World::with(procfile);
        let ran = world.run(&["check"]);
        let names = if procfile.contains("worker") { "web, worker" } else { "web" };
        assert_eq!(
            (ran.status, ran.text()),
            (0, format!("valid procfile detected {names}\n")),
            "{procfile:?}"
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{procfile:?}: {}", ran.stderr);
        let told = format!(", line {line}: ");
        assert!(ran.stderr.starts_with(" !     warning: ") && ran.stderr.contains(&told), "{}", ran.stderr);
    }
    let world = World::with("web: serve -p $PORT # it's \"public\"\nworker: \"a\tb\" ${X:-1} 'c'\n");
    assert_eq!(world.run(&["check"]).stderr, "");
}

#[test]
fn a_file_in_utf_16_is_told_by_that_word() {
    let utf16: Vec<u8> = "web: a\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [utf16.clone(), [&b"\xff\xfe"[..], &utf16].concat()] {
        let world = World::with(bytes);
        for words in [&["check"][..], &["list"], &["show", "-p", "web"]] {
            let told = " !     invalid character in procfile, line 1: the file is UTF-16: save it as UTF-8\n";
            assert_eq!(world.run(words).all(), (1, String::new(), told), "{words:?}");
        }
    }
}

#[test]
fn a_missing_file_is_an_error_also_when_stdin_is_a_pipe() {
    let world = World::new();
    let ran = world.feed(&["list"], b"web: a\n");
    assert_eq!(ran.all(), (1, String::new(), " !     open Procfile: no such file or directory\n"));
    assert_eq!(world.feed(&["list", "-P", "-"], b"web: a\n").all(), (0, "web\n".to_owned(), ""));
    assert_eq!(world.feed(&["set", "-P", "-", "-p", "x", "-c", "y"], b"web: a\n").text(), "web: a\nx: y\n");
    assert_eq!(world.run(&["list", "-P", "."]).stderr, " !     read .: is a directory\n");
}

#[test]
fn a_file_whose_name_is_nearly_that_of_the_missing_one_is_named() {
    for name in ["procfile", "PROCFILE", "Procfile.txt", "Profile"] {
        let world = World::new();
        world.put(name, "web: a\n");
        let told =
            format!(" !     open Procfile: no such file or directory (but {name}: call it Procfile)\n");
        for command in ["check", "list"] {
            assert_eq!(world.run(&[command]).all(), (1, String::new(), &*told), "{name}");
        }
    }
    let world = World::new();
    world.put("Procfile.dev", "web: a\n");
    assert_eq!(world.run(&["list"]).stderr, " !     open Procfile: no such file or directory\n");
}

#[test]
fn an_edit_keeps_mode_and_symlink_and_leaves_no_other_file() {
    let world = World::new();
    world.put("real/Procfile.shared", "web: a # x\n");
    let real = world.path("real/Procfile.shared");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("real/Procfile.shared", world.path("Procfile")).expect("a link");
    assert_eq!(world.run(&["set", "-p", "web", "-c", "b"]).all(), (0, String::new(), ""));
    assert_eq!(fs::read_to_string(&real).expect("it is there"), "web: b # x\n");
    assert_eq!(fs::metadata(&real).expect("it is there").permissions().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(world.path("Procfile")).expect("it is there").is_symlink());
    assert_eq!(fs::read_dir(world.path("real")).expect("a directory").count(), 1);
}

/// Run as root, or say that the test was skipped.
fn is_root() -> bool {
    let root = fs::metadata("/proc/self").expect("proc is mounted").uid() == 0;
    if !root {
        skipped::skip("no root: only root can give a file to somebody else");
    }
    root
}

#[test]
fn an_edit_by_root_keeps_a_foreign_owner() {
    if !is_root() {
        return;
    }
    let world = World::with("web: a\n");
    let path = world.path("Procfile");
    std::os::unix::fs::chown(&path, Some(12_345), Some(23_456)).expect("an owner");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o464)).expect("a mode");
    for args in [&["set", "-p", "web", "-c", "b"][..], &["delete", "-p", "web"]] {
        assert_eq!(world.run(args).all(), (0, String::new(), ""));
        let about = fs::metadata(&path).expect("it is there");
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (12_345, 23_456, 0o464), "{args:?}");
    }
}

#[test]
fn an_edit_that_cannot_keep_the_owner_is_refused_and_changes_nothing() {
    if !is_root() {
        return;
    }
    let world = World::with("web: a\n");
    let everybody = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    everybody(world.0.path(), 0o777);
    everybody(&world.path("Procfile"), 0o666);
    let own = world.path("own");
    fs::copy(PROGRAM, &own).expect("a copy that nobody may run");
    everybody(&own, 0o755);
    let nobody = |args: &[&str]| {
        let mut command = Command::new(&own);
        command.args(args).current_dir(world.0.path()).env_clear().uid(65_534).gid(65_534);
        Ran::of(command, b"")
    };
    let set = ["set", "-p", "web", "-c", "b"];
    let words = " !     error writing procfile: open Procfile: operation not permitted: it belongs to user 0 and group 0, which only they or root can keep; --stdout prints the result\n";
    assert_eq!(nobody(&set).all(), (1, String::new(), words));
    everybody(world.0.path(), 0o755);
    let words = " !     error writing procfile: open Procfile: permission denied: the new file is made beside the old, so . must be writable, too\n";
    assert_eq!(nobody(&set).all(), (1, String::new(), words));
    everybody(&world.path("Procfile"), 0o644);
    let words = " !     error writing procfile: open Procfile: permission denied\n";
    assert_eq!(nobody(&set).all(), (1, String::new(), words));
    assert_eq!(nobody(&["set", "-p", "web", "-c", "b", "-s"]).all(), (0, "web: b\n".to_owned(), ""));
    assert_eq!(world.get("Procfile"), "web: a\n");
    assert_eq!(fs::read_dir(world.0.path()).expect("a directory").count(), 2);
}

#[test]
fn of_edits_at_once_none_is_lost() {
    let world = World::with("# apps\nweb: a\n");
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let world = &world;
            scope.spawn(move || {
                for turn in 0..5 {
                    let (name, old) = (format!("w{writer}-{turn}"), format!("w{writer}-{}", turn - 1));
                    assert_eq!(world.run(&["set", "-p", &name, "-c", "x"]).all(), (0, String::new(), ""));
                    assert_eq!(world.run(&["delete", "-p", &old]).all(), (0, String::new(), ""));
                }
            });
        }
    });
    let mut lines: Vec<String> = world.get("Procfile").lines().map(str::to_owned).collect();
    lines[2..].sort_unstable();
    let kept: Vec<String> = (0..6).map(|writer| format!("w{writer}-4: x")).collect();
    assert_eq!(lines, [&["# apps".to_owned(), "web: a".to_owned()], &kept[..]].concat());
    assert_eq!(fs::read_dir(world.0.path()).expect("a directory").count(), 1);
}

#[test]
fn what_a_killed_edit_left_goes_with_the_next_one() {
    let world = World::with("web: a\n");
    for args in [&["set", "-p", "web", "-c", "a"][..], &["set", "-p", "web", "-c", "b"]] {
        world.put(".Procfile.procfile-util", "web: ha");
        assert_eq!(world.run(args).all(), (0, String::new(), ""));
        assert!(!world.path(".Procfile.procfile-util").exists(), "{args:?}");
    }
    assert_eq!(world.get("Procfile"), "web: b\n");
}

#[test]
fn an_edit_can_be_tried_first() {
    let world = World::with("web: a\n");
    let diff = world.run(&["set", "-p", "web", "-c", "b", "--diff"]);
    assert_eq!(diff.text(), "--- Procfile\n+++ Procfile\n@@ -1,1 +1,1 @@\n-web: a\n+web: b\n");
    assert_eq!(world.run(&["set", "-p", "web", "-c", "b", "--check"]).all(), (1, String::new(), ""));
    assert_eq!(world.run(&["set", "-p", "web", "-c", "a", "--check"]).all(), (0, String::new(), ""));
    assert_eq!(world.get("Procfile"), "web: a\n");
}

#[test]
fn what_would_not_read_back_leaves_the_file_alone() {
    let world = World::with("web: a\n");
    for (args, message) in [
        (["set", "-p", "a b", "-c", "x"], "invalid process type: \"a b\""),
        (["set", "-p", "x", "-c", "a\nevil: b"], "command must be a single line"),
        (
            ["set", "-p", "x", "-c", "a # b"],
            "command would be read back as \"a\": a blank before # or // begins a comment",
        ),
        (["set", "-p", "x", "-c", ""], "--command is required"),
    ] {
        assert_eq!(world.run(&args).all(), (1, String::new(), format!(" !     {message}\n").as_str()));
    }
    assert_eq!(world.get("Procfile"), "web: a\n");
}

#[test]
fn expansion_can_be_stricter_and_more_like_a_shell() {
    let world = World::with("web: a ${X:-1} $NOPE\nworker: ${Y:?is needed}\n");
    let show = |args: &[&str]| world.run(&[&["show", "-p", "web"], args].concat());
    assert_eq!(show(&[]).text(), "a  \n");
    assert_eq!(show(&["--shell-defaults"]).text(), "a 1 \n");
    assert_eq!(show(&["--keep-unknown"]).text(), "a ${X:-1} $NOPE\n");
    let strict = show(&["--strict-env", "--shell-defaults"]);
    assert_eq!(strict.all(), (1, String::new(), " !     variable NOPE is not defined, line 1\n"));
    let all = world.run(&["expand", "--strict-env", "--shell-defaults"]);
    assert_eq!(all.stderr, " !     variable NOPE is not defined, line 1\n !     Y: is needed, line 2\n");
}

#[test]
fn inside_dokku_an_env_file_is_read_as_dokku_reads_it_and_what_surprises_is_told() {
    let world = World::with("web: [$PASS] [$H] [$A]\n");
    world.put("e", "PASS=   # required\nH=$2y$10$N9qo\nA=\"\\!\\`\"\n");
    let mut command = world.command(&["show", "-p", "web", "-e", "e"]);
    command.env("PLUGIN_PATH", world.path("plugins")).env("DOKKU_SYSTEM_USER", "dokku");
    let ran = Ran::of(command, b"");
    assert_eq!((ran.status, ran.text().as_str()), (0, "[# required] [yqo] [!`]\n"));
    let told: Vec<&str> = ran.stderr.lines().map(|line| line.split(" has ").next().unwrap_or(line)).collect();
    assert!(
        ran.stderr.starts_with(" !     e, line 1: PASS has a # in its value, as Dokku reads it"),
        "{told:?}"
    );
    assert!(ran.stderr.contains(" !     e, line 2: H names a variable that nothing defines"), "{told:?}");
    let ran = world.run(&["show", "-p", "web", "-e", "e"]);
    assert_eq!(ran.text(), "[] [$2y$10$N9qo] [\\!\\`]\n");
}

#[test]
fn a_file_that_is_named_may_be_a_pipe_and_a_directory_is_none() {
    let world = World::with("web: $A\n");
    let mut command = Command::new("bash");
    let script = "\"$0\" show -p web -P <(printf 'web: $A $B\\n') -e <(printf 'A=1\\nB=$A\\n')";
    command.args(["-c", script, PROGRAM]).current_dir(world.0.path());
    assert_eq!(Ran::of(command, b"").all(), (0, "1 1\n".to_owned(), ""));
    assert_eq!(world.feed(&["show", "-p", "web", "-e", "-"], b"A=2\n").text(), "2\n");
    let refused = world.run(&["show", "-p", "web", "-e", "."]);
    assert_eq!(
        refused.all(),
        (1, String::new(), " !     Error processing command: read .: is a directory\n")
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let world = World::with((0..50_000).map(|n| format!("type-{n}: x")).collect::<Vec<_>>().join("\n"));
    let mut command = Command::new("sh");
    command.args(["-c", "{ \"$0\" list; echo $? >&2; } | head -1", PROGRAM]).current_dir(world.0.path());
    let ran = Ran::of(command, b"");
    assert_eq!(ran.all(), (0, "type-0\n".to_owned(), "0\n"));
}

#[test]
fn a_full_disk_is_a_failure_that_is_named() {
    let world = World::with("web: a\n");
    for subcommand in ["list", "check", "expand"] {
        let mut command = Command::new("sh");
        command.args(["-c", "\"$0\" \"$1\" > /dev/full", PROGRAM, subcommand]).current_dir(world.0.path());
        let words = " !     write standard output: no space left on device\n";
        assert_eq!(Ran::of(command, b"").all(), (1, String::new(), words), "{subcommand}");
    }
}

#[test]
fn limits_are_refused_in_little_time() {
    let world = World::new();
    for (bytes, message) in [
        (vec![b'\n'; 17 << 20], "procfile is too large: over 16 MiB"),
        ([b"web: ", vec![b'a'; 2 << 20].as_slice()].concat(), "line 1 is too long"),
        (b"web: a\0b\n".to_vec(), "invalid character in procfile, line 1"),
    ] {
        let ran = world.feed(&["check", "-P", "-"], &bytes);
        assert_eq!(ran.all(), (1, String::new(), format!(" !     {message}\n").as_str()));
    }
    assert_eq!(world.feed(&["show", "-P", "-", "-p", "web"], b"\xef\xbb\xbfweb: a\xff\n").stdout, b"a\xff\n");
}

#[test]
fn help_and_version_that_were_asked_for_go_to_stdout() {
    let world = World::new();
    for args in [&["--help"][..], &["help"], &["help", "set"], &["set", "-h"], &["--version"], &["version"]] {
        let ran = world.run(args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!ran.stdout.is_empty(), "{args:?}");
    }
    for args in [&["version"][..], &["--version"], &["-v", "--help"], &["--bogus", "-version"]] {
        assert_eq!(world.run(args).text(), format!("{}\n", env!("CARGO_PKG_VERSION")), "{args:?}");
    }
    for args in [&[][..], &["bogus"], &["bogus", "--help"], &["help", "bogus"], &["--"]] {
        let ran = world.run(args);
        assert_eq!((ran.status, ran.text().as_str()), (127, ""), "{args:?}");
        assert!(ran.stderr.starts_with("Usage: procfile-util [--version] [--help] <command> [<args>]\n"));
    }
}

#[test]
fn our_own_golden_cases_hold() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/procfile-util");
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in fs::read_dir(cases).expect("the golden cases are there") {
        let case = case.expect("an entry").path();
        wrong.extend(golden_difference(&case).map(|why| format!("{}: {why}", case.display())));
        compared += 1;
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 90, "only {compared} cases");
}

/// A case: `args` (one a line), `stdin`, `in/` before; `stdout`, `stderr`, `status`, `out/` after.
fn golden_difference(case: &Path) -> Option<String> {
    let world = World::new();
    for (name, bytes) in files_below(&case.join("in")) {
        world.put(&name, bytes);
    }
    let read = |name: &str| fs::read(case.join(name)).unwrap_or_default();
    let args = String::from_utf8(read("args")).expect("args are text");
    let ran = world.feed(&args.lines().collect::<Vec<_>>(), &read("stdin"));
    let wanted = String::from_utf8(read("status")).expect("a status is text");
    if wanted.trim() != ran.status.to_string() || ran.stdout != read("stdout") {
        return Some(format!("{ran:?}, stdout {:?}", ran.text()));
    }
    if ran.stderr.as_bytes() != read("stderr") {
        return Some(format!("stderr {:?}", ran.stderr));
    }
    let differs = |(name, bytes): &(String, Vec<u8>)| fs::read(world.path(name)).ok().as_ref() != Some(bytes);
    let (name, _) = files_below(&case.join("out")).into_iter().find(differs)?;
    Some(format!(
        "{name} holds {:?}",
        fs::read(world.path(&name)).map(|b| String::from_utf8_lossy(&b).into_owned())
    ))
}

fn files_below(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut ahead) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(at) = ahead.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                ahead.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below").to_string_lossy().into_owned();
                found.push((name, fs::read(&path).expect("a golden file")));
            }
        }
    }
    found
}

/// Variables that would break out of any file that does not quote them.
const NASTY_ENV: &str = "A='q\"x %h $$ `id` $(id) \\ <&> # ; line1\nline2'\nEMPTY=\nname='of the script'\ncommand='touch hijacked'\n";

/// A world whose app prints its arguments and variables, then sleeps.
fn world_of_a_probe() -> World {
    let probe = "#!/bin/sh\n{ for word in \"$@\"; do printf '[%s]' \"$word\"; done; env | grep -v '^_='; } > \"$OUT.new\"\nmv \"$OUT.new\" \"$OUT\"\nexec sleep 60\n";
    let world =
        World::with("web: ./probe \"a  b\" 'c$d' $PORT \"${PS}\" \\\"\nlist: cd . && ./probe x; true\n");
    world.put("probe", probe);
    fs::set_permissions(world.path("probe"), fs::Permissions::from_mode(0o755)).expect("a mode");
    world.put("nasty.env", format!("{NASTY_ENV}OUT='{}'\n", world.path("out").display()));
    world
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skipped::skip(format_args!("no {program}"));
    }
    found
}

fn tool(world: &World, program: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(program);
    command.args(args).current_dir(world.0.path());
    Ran::of(command, b"")
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(std::time::Instant::now() < deadline, "{what} did not happen in {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn export(world: &World, format: &str, more: &[&str]) {
    let user = tool(world, "id", &["-un"]).text().trim().to_owned();
    let (root, run) = (world.0.path().display().to_string(), world.path("run").display().to_string());
    let common = [
        "export",
        "--location",
        "o",
        "--format",
        format,
        "-e",
        "nasty.env",
        "--user",
        &user,
        "--group",
        &user,
    ];
    let places = ["--log-path", &root, "--working-directory-path", &root, "--run", &run];
    let ran = world.run(&[&common[..], &places[..], more].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn a_sysv_script_gives_the_child_what_was_meant_and_stops_all_of_it() {
    for shell in ["dash", "bash"].into_iter().filter(|shell| has(shell)) {
        let world = world_of_a_probe();
        export(&world, "sysv", &["--prestart", "echo \"$A\" > prestarted"]);
        let script = world.path("o/etc/init.d/app-web-1").display().to_string();
        assert_eq!(tool(&world, shell, &[&script, "status"]).status, 3);
        assert_eq!(tool(&world, shell, &[&script, "start"]).status, 0);
        let seen = eventually("the probe's report", || fs::read_to_string(world.path("out")).ok());
        assert!(seen.starts_with("[a  b][c$d][5100][app-web.1][\"]"), "{seen}");
        for line in [
            "A=q\"x %h $$ `id` $(id) \\ <&> # ; line1\nline2\n",
            "EMPTY=\n",
            "name=of the script\n",
            "command=touch hijacked\n",
        ] {
            assert!(seen.contains(line), "{line:?} in {seen}");
        }
        assert!(world.get("prestarted").contains("line1\nline2"));
        assert_eq!(tool(&world, shell, &[&script, "status"]).status, 0);
        let leader: i32 = world.get("run/app-web-1.pid").trim().parse().expect("a pid");
        assert_eq!(tool(&world, shell, &[&script, "stop"]).status, 0);
        assert!(!Path::new(&format!("/proc/{leader}")).exists(), "the process is still there");
        assert_eq!(tool(&world, shell, &[&script, "status"]).status, 3);
        assert!(!world.path("hijacked").exists());
    }
}

#[test]
fn scripts_pass_shellcheck_and_units_pass_systemd_analyze() {
    let world = world_of_a_probe();
    let more =
        ["--prestart", "echo \"$A\"", "--nice", "3", "--limit-open-files", "99", "--limit-coredump", "0"];
    for format in ["sysv", "runit", "systemd"] {
        export(&world, format, &more);
    }
    if has("shellcheck") {
        let scripts = [
            "o/etc/init.d/app-web-1",
            "o/etc/init.d/app-list-1",
            "o/service/app-web-1/run",
            "o/service/app-list-1/run",
            "o/service/app-web-1/log/run",
        ];
        let ran = tool(&world, "shellcheck", &scripts);
        assert_eq!(ran.status, 0, "{}", ran.text());
    }
    if has("systemd-analyze") {
        let units = ["app-web.1.service", "app-list.1.service", "app.target"];
        let units = units.map(|unit| world.path("o/etc/systemd/system").join(unit).display().to_string());
        let ran = tool(&world, "systemd-analyze", &["verify", &units[0], &units[1], &units[2]]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    }
}

#[test]
fn the_private_environment_of_runit_is_private() {
    let world = world_of_a_probe();
    export(&world, "runit", &[]);
    let mode =
        |name: &str| fs::metadata(world.path(name)).expect("it is there").permissions().mode() & 0o7777;
    assert_eq!(mode("o/service/app-web-1/env"), 0o700);
    assert_eq!(mode("o/service/app-web-1/env/A"), 0o600);
    assert_eq!(mode("o/service/app-web-1/run"), 0o755);
}

#[test]
fn an_export_that_cannot_be_written_writes_nothing() {
    let world = World::with("web: a\n");
    world.put("o/etc/systemd/system/app.target/x", "a directory where a file must go");
    let ran = world.run(&["export", "--location", "o"]);
    assert_eq!((ran.status, ran.text().as_str()), (1, ""));
    assert_eq!(
        ran.stderr,
        " !     error creating file: open o/etc/systemd/system/app.target: is a directory\n"
    );
    let left = files_below(&world.path("o"));
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn fmt_lays_out_evenly_once_and_for_all() {
    let world = World::with("web:a\r\n\n\nrelease: b # c\n");
    assert_eq!(world.run(&["fmt", "--check"]).all(), (1, String::new(), ""));
    assert_eq!(world.run(&["fmt"]).all(), (0, String::new(), ""));
    assert_eq!(world.get("Procfile"), "web:     a\n\nrelease: b # c\n");
    assert_eq!(world.run(&["fmt", "--check"]).all(), (0, String::new(), ""));
}

#[test]
fn completions_and_manual_pages_know_every_subcommand() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.run(&["completion", shell]).text();
        assert!(script.contains("export") && script.contains("formation"), "{shell}");
    }
    assert_eq!(world.run(&["completion", "tcsh"]).status, 1);
    assert!(world.run(&["man"]).text().contains(".SH SUBCOMMANDS"));
    assert!(world.run(&["man", "set"]).text().contains("in\\-order"));
}
