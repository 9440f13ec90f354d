//! `ps-report` as a shell sees it, in a world of its own: in Dokku's environment against what a real Dokku printed, and
//! on our own.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);
/// Where no engine is.
const NOWHERE: &str = "unix:///nonexistent/docker.sock";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().expect("a temporary directory"));
        fs::create_dir_all(home.root()).expect("a root");
        home
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn lib(&self) -> PathBuf {
        self.0.path().join("lib")
    }

    fn app(&self, name: &str) -> &Self {
        fs::create_dir_all(self.root().join(name)).expect("an app");
        self
    }

    fn write(&self, path: impl AsRef<Path>, content: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, content).expect("a file");
        self
    }

    fn property(&self, plugin: &str, scope: &str, key: &str, value: &str) -> &Self {
        self.write(format!("lib/config/{plugin}/{scope}/{key}"), value)
    }

    fn script(&self, path: &str, content: &str) -> &Self {
        self.write(path, content);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.0.path().join(path), mode).expect("it is ours");
        self
    }

    fn report(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ps-report"));
        command.args(arguments).timeout(DEADLINE);
        command.env("DOKKU_ROOT", self.root()).env("DOKKU_LIB_ROOT", self.lib());
        for name in ["PLUGIN_PATH", "DOKKU_SYSTEM_USER", "DOKKU_QUIET_OUTPUT", "FORMATION_LOCK"] {
            command.env_remove(name);
        }
        command
    }

    fn dokku(&self, arguments: &[&str]) -> Command {
        let mut command = self.report(arguments);
        command.env("PLUGIN_PATH", self.lib().join("plugins")).env("DOKKU_SYSTEM_USER", "dokku");
        command
    }
}

struct Said {
    status: i32,
    stdout: String,
    stderr: String,
}

fn said(command: &mut Command) -> Said {
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said {
        status: output.status.code().expect("it ended by itself, in time"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// On stderr itself, past what the test harness captures.
fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// A container as Dokku makes one; it is removed with this value.
struct Container(String);

impl Container {
    /// `None` where no engine answers; says so.
    fn start(app: &str, slot: &str) -> Option<Self> {
        let process_type = slot.split('.').next().expect("a type");
        let labels = [
            format!("--label=com.dokku.app-name={app}"),
            format!("--label=com.dokku.process-type={process_type}"),
            format!("--label=com.dokku.dyno={slot}"),
            "--label=com.dokku.container-type=deploy".to_owned(),
            "--label=dokku".to_owned(),
        ];
        let mut docker = Program::new("docker");
        docker.args(["run", "--detach", "--network=none"]).args(labels);
        let run = docker.args(["formation-test/busybox:latest", "sleep", "600"]).output();
        match run {
            Ok(output) if output.status.success() => {
                Some(Self(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
            }
            other => {
                skipped::skip(format_args!("no engine, or scripts/setup has not run: {other:?}"));
                None
            }
        }
    }

    fn stop(&self) {
        let stopped = Program::new("docker").args(["stop", "--time=0", &self.0]).output();
        assert!(stopped.expect("docker runs").status.success(), "docker stop");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Program::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

/// The two worlds of the recording: demo, deployed, with one container; idle, created and nothing else.
fn recorded_world(container: &str) -> Home {
    let home = Home::new();
    home.app("demo").app("idle");
    home.property("ps", "demo", "can-scale", "true").property("ps", "demo", "restore", "true");
    home.property("ps", "demo", "scale", "web=1\nrelease=0\nworker=0\n");
    home.property("common", "demo", "deployed", "true");
    home.property("ps", "idle", "scale", "web=1\n").property("ps", "idle", "scale.old", "");
    home.write("home/demo/CONTAINER.web.1", &format!("{container}\n"));
    home.write("home/demo/IP.web.1", "172.17.0.2").write("home/demo/PORT.web.1", "5000");
    home
}

/// Recorded cases that we answer otherwise, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("report-two-flags", "two info flags are wrong usage (2), not silence and success"),
    ("report-demo-idle", "every app that is named is reported on, not only the first"),
];

fn recorded_cases(file: &str) -> Option<Vec<Value>> {
    let path = skipped::corpus(&format!("contracts/dokku-recorded/{file}"))?;
    Some(json_lines(&fs::read_to_string(path).expect("a recording can be read")))
}

#[test]
fn the_golden_cases_hold() {
    support::golden::holds("ps-report", env!("CARGO_BIN_EXE_ps-report"), 30);
}

#[test]
fn every_recorded_report_is_answered_as_dokku_answered_it() {
    let (Some(cases), Some(container)) = (recorded_cases("reads.jsonl"), Container::start("demo", "web.1"))
    else {
        return;
    };
    let home = recorded_world(&container.0);
    let mut compared = 0;
    for case in &cases {
        let words: Vec<&str> =
            case["argv"].as_array().expect("words").iter().filter_map(Value::as_str).collect();
        let Some(arguments) = words.strip_prefix(&["dokku", "ps:report"]) else { continue };
        let name = case["name"].as_str().expect("a name");
        let wanted = |key: &str| case[key].as_str().expect("text").replace("<CID0:11>", &container.0[..11]);
        let said = said(&mut home.dokku(arguments));
        let ours = (i64::from(said.status), said.stdout, said.stderr);
        let dokkus = (case["exit"].as_i64().expect("a status"), wanted("stdout"), wanted("stderr"));
        match DIFFERENT.iter().find(|(different, _)| *different == name) {
            Some((_, reason)) => assert_ne!(ours, dokkus, "{name}: no longer different, though {reason}"),
            None => assert_eq!(ours, dokkus, "{name}: {arguments:?}"),
        }
        compared += 1;
    }
    assert!(compared >= 19, "only {compared} cases of ps:report were found");
}

#[test]
fn the_report_after_changes_is_dokkus_too() {
    let (Some(changed), Some(stopped)) = (recorded_cases("hooks.jsonl"), recorded_cases("lifecycle.jsonl"))
    else {
        return;
    };
    let Some(container) = Container::start("demo", "web.1") else { return };
    let home = recorded_world(&container.0);
    let matches = |cases: &[Value], name: &str| {
        let case = cases.iter().find(|case| case["name"] == name).expect("it was recorded");
        let wanted = case["stdout"].as_str().expect("text").replace("<CID0:11>", &container.0[..11]);
        assert_eq!(said(&mut home.dokku(&["demo"])).stdout, wanted, "{name}");
    };
    home.property("ps", "demo", "stop-timeout-seconds", "30").property("ps", "demo", "restore", "false");
    matches(&changed, "report");
    fs::remove_file(home.lib().join("config/ps/demo/stop-timeout-seconds")).expect("it was set");
    container.stop();
    matches(&stopped, "report-stopped");
}

#[test]
fn the_deliberate_differences_are_what_we_say_they_are() {
    let home = Home::new();
    home.app("demo").app("idle");
    let two = said(&mut home.dokku(&["demo", "--restore", "--deployed"]));
    assert_eq!((two.status, &*two.stdout), (2, ""));
    assert!(two.stderr.contains("--restore and --deployed"), "{}", two.stderr);
    let both = said(&mut home.dokku(&["demo", "idle", "--deployed"]));
    assert_eq!((both.status, &*both.stdout), (0, "false\nfalse\n"));
}

#[test]
fn a_stopped_container_is_exited_and_one_that_is_gone_is_missing() {
    let Some(container) = Container::start("demo", "web.1") else { return };
    let home = recorded_world(&container.0);
    home.write("home/demo/CONTAINER.web.2", &format!("{}\n", "0".repeat(64)));
    let mixed = said(&mut home.dokku(&["demo", "--running"]));
    assert_eq!((mixed.status, &*mixed.stdout), (0, "mixed\n"), "{}", mixed.stderr);
    container.stop();
    let said = said(&mut home.dokku(&["demo", "--format", "json"]));
    let row = &json_lines(&said.stdout)[0];
    assert_eq!(row["running"], "false");
    assert_eq!(row["processes"], "2");
    assert_eq!(row["status-web.1"], format!("exited (CID: {})", &container.0[..11]));
    assert_eq!(row["status-web.2"], "missing (CID: 00000000000)");
}

/// The status file of a native instance whose process is this test.
fn native_status(slot: &str, start_time: &str) -> String {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot id");
    let process = serde_json::json!({
        "pid": std::process::id(),
        "start_time": start_time.parse::<u64>().expect("a number"),
        "boot_id": boot_id.trim_end(),
    });
    serde_json::json!({
        "slot": slot, "state": "running", "process": process, "port": 5000, "since": "2024-01-01T00:00:00Z",
        "restarts": 0, "last_exit": null, "revision": 1, "reason": null,
    })
    .to_string()
}

#[test]
fn native_processes_are_named_by_pid_and_a_dead_one_is_missing() {
    let home = Home::new();
    home.app("hello").app("torn");
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_name) = stat.rsplit_once(") ").expect("proc(5)");
    let ours = after_name.split(' ').nth(19).expect("proc(5)");
    home.write("lib/data/scheduler-native/hello/web.1/status.json", &native_status("web.1", ours));
    let running = said(home.report(&["hello", "--running"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((running.status, &*running.stdout, &*running.stderr), (0, "true\n", ""));
    let status = said(&mut home.report(&["hello", "--status-web.1"])).stdout;
    assert_eq!(status, format!("running (PID: {})\n", std::process::id()));
    // The same pid, but another process has it by now.
    home.write("lib/data/scheduler-native/hello/web.2/status.json", &native_status("web.2", "1"));
    home.write("lib/data/scheduler-native/torn/web.1/status.json", "{");
    let all = said(&mut home.report(&["--json"]));
    let rows = json_lines(&all.stdout);
    assert_eq!(
        [&rows[0]["running"], &rows[0]["processes"], &rows[0]["status-web.2"]],
        ["mixed", "2", "missing"]
    );
    assert!(rows[0].get("error").is_none(), "{}", rows[0]);
    assert_eq!([&rows[1]["running"], &rows[1]["restore"]], ["unknown", "true"]);
    assert!(rows[1]["error"].as_str().expect("an error").contains("web.1/status.json"), "{}", rows[1]);
    assert_eq!(all.status, 1);
}

#[test]
fn on_our_own_wanted_and_running_stand_side_by_side_where_they_differ() {
    let home = Home::new();
    home.app("hello").property("common", "hello", "deployed", "true");
    home.property("ps", "hello", "scale", "web=3\nworker=0\nrelease=0\n");
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_name) = stat.rsplit_once(") ").expect("proc(5)");
    let ours = after_name.split(' ').nth(19).expect("proc(5)");
    home.write("lib/data/scheduler-native/hello/web.1/status.json", &native_status("web.1", ours));
    home.write("lib/data/scheduler-native/hello/clock.1/status.json", &native_status("clock.1", ours));
    let gaps = said(&mut home.report(&["hello"]));
    assert_eq!(gaps.status, 0, "what was asked for is known, and so is what runs");
    let expected =
        "ps-report: hello: clock: 0 wanted, 1 running\nps-report: hello: web: 3 wanted, 1 running\n";
    assert_eq!(gaps.stderr, expected);
    assert!(!gaps.stdout.contains("wanted"), "{}", gaps.stdout);
    home.property("ps", "hello", "scale", "web=1\nclock=1\n");
    assert_eq!(said(&mut home.report(&["hello"])).stderr, "");
    home.property("ps", "hello", "scale", "web=9\n").property("ps", "hello", "restore", "false");
    assert_eq!(said(&mut home.report(&["hello"])).stderr, "", "it was stopped on purpose");
}

#[test]
fn on_our_own_json_has_the_app_and_text_is_the_same() {
    let home = Home::new();
    home.app("blog").app("shop").property("ps", "blog", "start-cmd", "a <b>");
    let text = |command: &mut Command| said(command).stdout;
    let ours = json_lines(&text(&mut home.report(&["--json"])));
    assert_eq!([&ours[0]["app"], &ours[1]["app"]], ["blog", "shop"]);
    assert_eq!(ours[0]["start-cmd"], "a <b>");
    let dokkus = json_lines(&text(&mut home.dokku(&["--format", "json"])));
    assert!(dokkus.iter().all(|row| row.get("app").is_none()));
    let lines = json_lines(&text(&mut home.dokku(&["--format", "jsonl"])));
    assert_eq!(lines[1]["app"], "shop");
    assert_eq!(text(&mut home.report(&["blog"])), text(&mut home.dokku(&["blog", "--format", "stdout"])));
    let global = json_lines(&text(&mut home.report(&["--global", "--json"])));
    assert_eq!(global[0]["app"], "--global");
}

#[test]
fn values_come_from_the_app_then_from_all_apps_then_from_the_default() {
    let home = Home::new();
    home.app("blog").property("ps", "--global", "restart-policy", "always");
    let value = |arguments: &[&str]| said(&mut home.report(arguments)).stdout;
    assert_eq!(value(&["blog", "--ps-computed-restart-policy"]), "always\n");
    assert_eq!(value(&["blog", "--ps-restart-policy"]), "\n");
    assert_eq!(value(&["--global", "--ps-global-restart-policy"]), "always\n");
    home.property("ps", "blog", "restart-policy", "no");
    assert_eq!(value(&["blog", "--ps-computed-restart-policy"]), "no\n");
    assert_eq!(value(&["blog", "--ps-computed-stop-timeout-seconds"]), "30\n");
    home.property("ps", "blog", "restore", "false").property("ps", "blog", "can-scale", "false");
    assert_eq!(value(&["blog", "--restore"]), "false\n");
    assert_eq!(value(&["blog", "--ps-can-scale"]), "false\n");
    for (stored, can_scale) in [("true", "true"), ("TRUE", "false"), ("1", "false"), ("", "false")] {
        home.property("ps", "blog", "can-scale", stored);
        assert_eq!(value(&["blog", "--ps-can-scale"]), format!("{can_scale}\n"), "{stored:?}");
    }
}

#[test]
fn a_record_from_before_instances_had_numbers_counts_and_has_no_row() {
    let home = Home::new();
    home.app("blog").write("home/blog/CONTAINER", &format!("{}\n", "c".repeat(64)));
    let value = |words: &[&str]| said(home.dokku(words).env("DOCKER_HOST", NOWHERE)).stdout;
    assert_eq!(value(&["blog", "--processes"]), "1\n");
    assert_eq!(value(&["blog", "--deployed"]), "true\n");
    assert!(!value(&["blog"]).contains("Status"));
    home.write("home/blog/CONTAINER.web.1", &format!("{}\n", "d".repeat(64)));
    assert_eq!(value(&["blog", "--processes"]), "1\n");
    assert!(value(&["blog"]).contains("Status web 1:                     unknown (CID: ddddddddddd)\n"));
}

#[test]
fn each_info_flag_is_the_value_that_json_has_under_its_key() {
    let home = Home::new();
    home.app("blog").property("ps", "blog", "skip-deploy", "true").property(
        "scheduler",
        "blog",
        "selected",
        "x",
    );
    home.script("lib/plugins/enabled/x/scheduler-app-status", "#!/bin/sh\n[ $1 = x ] && echo '3 mixed'\n");
    let all = said(&mut home.report(&["blog", "--json"]));
    let row = &json_lines(&all.stdout)[0];
    assert_eq!([&row["processes"], &row["running"]], ["3", "mixed"], "{}", all.stderr);
    let usage = said(&mut home.report(&["blog", "--nope"]));
    assert_eq!(usage.status, 2);
    let listed = usage.stderr.rsplit(": ").next().expect("a list").trim();
    let flags: Vec<&str> = listed.split(", ").collect();
    assert_eq!(flags.len(), 21, "{flags:?}");
    for flag in flags {
        let said = said(&mut home.report(&["blog", flag]));
        let key = flag.trim_start_matches("--");
        assert_eq!(said.stdout.trim_end_matches('\n'), row[key].as_str().expect("a string"), "{flag}");
        assert_eq!(said.status, 0, "{flag}");
    }
}

#[test]
fn json_is_what_its_schema_says() {
    let schema = include_str!("../../docs/schemas/ps-report.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let required = schema["required"].as_array().expect("a list");
    let home = Home::new();
    home.app("bad").app("box").property("ps", "bad", "restart-policy", "no\0");
    home.write("home/box/CONTAINER.web.1", &"a".repeat(64));
    let rows = json_lines(&said(home.report(&["--json"]).env("DOCKER_HOST", NOWHERE)).stdout);
    for row in &rows {
        let row = row.as_object().expect("an object");
        for key in required {
            assert!(row.contains_key(key.as_str().expect("a name")), "{key} is missing");
        }
        for (key, value) in row {
            let Some(rule) = schema["properties"].get(key) else {
                assert!(key.starts_with("status-") && value.is_string(), "{key} is not in the schema");
                continue;
            };
            let is_legal = rule["enum"].as_array().map_or(value.is_string(), |legal| legal.contains(value));
            assert!(is_legal, "{key}: {value} is not as the schema has it");
        }
    }
    assert!(rows[0].get("error").is_some() && rows[1].get("status-web.1").is_some());
}

#[test]
fn csv_has_one_row_for_each_app_and_columns_that_do_not_depend_on_what_runs() {
    let home = Home::new();
    home.app("blog").app("shop").property("ps", "blog", "start-cmd", "a, \"b\"");
    let table = said(&mut home.report(&["--format", "csv"])).stdout;
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    assert_eq!((header[0], header[header.len() - 1]), ("app", "error"));
    let keys = &header[1..header.len() - 1];
    assert!(keys.is_sorted() && keys.contains(&"status") && keys.contains(&"computed-start-cmd"), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("ps-") || key.starts_with("status-")), "{keys:?}");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<_> = reader.records().map(|row| row.expect("well-formed")).collect();
    assert_eq!([&rows[0][0], &rows[1][0]], ["blog", "shop"]);
    let column = |name| header.iter().position(|key| *key == name).expect("a column");
    assert_eq!((&rows[0][column("start-cmd")], &rows[0][column("status")]), ("a, \"b\"", "{}"));
    let two = said(&mut home.report(&["--format", "csv", "--columns", "running,app"]));
    assert_eq!(two.stdout, "running,app\nfalse,blog\nfalse,shop\n");
    let unknown = said(&mut home.report(&["--format", "csv", "--columns", "app,nope"]));
    assert_eq!((unknown.status, unknown.stdout.is_empty()), (2, true));
    assert!(unknown.stderr.contains("\"nope\""), "{}", unknown.stderr);
}

#[test]
fn one_app_that_cannot_be_read_does_not_hide_the_others() {
    let home = Home::new();
    home.app("a").app("bad").app("c").property("ps", "bad", "restart-policy", "no\0");
    let said_json = said(&mut home.report(&["--json"]));
    assert_eq!(said_json.status, 1);
    let rows = json_lines(&said_json.stdout);
    assert_eq!(rows.len(), 3);
    assert!(rows[1]["error"].as_str().expect("an error").contains("bad/restart-policy"), "{}", rows[1]);
    assert_eq!([&rows[1]["restart-policy"], &rows[1]["procfile-path"]], ["unknown", ""]);
    assert!(rows[0].get("error").is_none() && rows[2].get("error").is_none());
    assert!(said_json.stderr.starts_with("ps-report: bad: "), "{}", said_json.stderr);
    let text = said(&mut home.report(&[]));
    assert_eq!((text.status, text.stdout.matches(" ps information").count()), (1, 3));
    assert!(text.stdout.contains("       Error:"), "{}", text.stdout);
    // What is not asked for is not read.
    assert_eq!(said(&mut home.report(&["--restore"])).status, 0);
}

#[test]
fn the_engine_is_asked_only_if_an_app_has_containers() {
    let home = Home::new();
    home.app("idle").app("box");
    for app in ["idle", "box"] {
        home.property("scheduler", app, "selected", "docker-local");
    }
    let quiet = said(home.report(&["--json"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((quiet.status, &*quiet.stderr), (0, ""));
    home.write("home/box/CONTAINER.web.1", &"a".repeat(64));
    home.app("other").write("home/other/CONTAINER.web.1", &"b".repeat(64));
    let down = said(home.report(&["--json"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((down.status, down.stderr.lines().count()), (1, 1), "{}", down.stderr);
    assert!(down.stderr.contains("/nonexistent/docker.sock"), "{}", down.stderr);
    let rows = json_lines(&down.stdout);
    assert_eq!([&rows[0]["running"], &rows[0]["processes"]], ["unknown", "1"]);
    assert_eq!(rows[0]["status-web.1"], "unknown (CID: aaaaaaaaaaa)");
    assert_eq!(rows[1]["running"], "false", "idle has no containers");
    let files_only = said(home.report(&["box", "--deployed"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((files_only.status, &*files_only.stdout, &*files_only.stderr), (0, "true\n", ""));
}

#[test]
fn an_engine_that_never_answers_is_unknown_and_not_a_hang() {
    let home = Home::new();
    home.app("box").write("home/box/CONTAINER.web.1", &"a".repeat(64));
    let socket = home.0.path().join("engine.sock");
    let _silent = UnixListener::bind(&socket).expect("a socket");
    let begun = Instant::now();
    let said =
        said(home.report(&["box", "--running"]).env("DOCKER_HOST", format!("unix://{}", socket.display())));
    assert_eq!(
        (said.status, &*said.stdout, said.stderr.lines().count()),
        (1, "unknown\n", 1),
        "{}",
        said.stderr
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn inside_dokku_other_schedulers_are_asked_through_plugn() {
    let home = Home::new();
    home.app("blog").property("scheduler", "blog", "selected", "k3s");
    let plugn = "#!/bin/sh\n[ \"$1\" = trigger ] || exit 9\necho \"$*\" >>\"$DOKKU_LIB_ROOT/calls\"\n\
                 case $2 in scheduler-app-status) echo '2 true' ;; esac\n";
    home.script("bin/plugn", plugn);
    let path = format!("{}:{}", home.0.path().join("bin").display(), std::env::var("PATH").expect("a PATH"));
    let said = said(home.dokku(&["blog", "--running"]).env("PATH", path));
    assert_eq!((said.status, &*said.stdout, &*said.stderr), (0, "true\n", ""));
    let calls = fs::read_to_string(home.lib().join("calls")).expect("plugn was called");
    assert_eq!(calls, "trigger scheduler-app-status k3s blog\n");
}

#[test]
fn inside_dokku_an_app_that_a_plugin_hides_does_not_exist() {
    let home = Home::new();
    home.app("mine").app("yours");
    let hook = "#!/bin/sh\n[ $# -ge 3 ] || exit 1\nuser=$1; shift 2\n\
                for app; do [ $user-$app = ann-yours ] || echo $app; done\n";
    home.script("lib/plugins/enabled/acl/user-auth-app", hook);
    home.script("lib/plugins/enabled/20_events/user-auth-app", "#!/bin/sh\n");
    let ask = |arguments: &[&str], user: &str| {
        said(home.dokku(arguments).env("SSH_USER", user).env_remove("SSH_NAME"))
    };
    assert_eq!(ask(&["--deployed"], "ann").stdout, "false\n");
    assert_eq!(ask(&["--deployed"], "bob").stdout, "false\nfalse\n");
    let hidden = ask(&["yours"], "ann");
    assert_eq!((hidden.status, &*hidden.stderr), (20, " !     App yours does not exist\n"));
    assert_eq!(said(&mut home.report(&["yours", "--deployed"])).status, 0, "on our own nobody hides");
}

#[test]
fn a_scheduler_that_no_plugin_answers_for_is_unknown() {
    let home = Home::new();
    home.app("blog").property("scheduler", "blog", "selected", "k3s");
    let silent = said(&mut home.report(&["blog", "--json"]));
    assert_eq!(silent.status, 1);
    let rows = json_lines(&silent.stdout);
    assert_eq!([&rows[0]["running"], &rows[0]["processes"]], ["unknown", "-1"]);
    assert!(silent.stderr.contains("blog") && silent.stderr.contains("k3s"), "{}", silent.stderr);
    home.script("lib/plugins/enabled/k3s/scheduler-app-status", "#!/bin/sh\necho broken >&2\nexit 3\n");
    let failing = said(&mut home.report(&["blog", "--running"]));
    assert_eq!((failing.status, &*failing.stdout), (1, "unknown\n"));
    assert!(failing.stderr.contains("exit status 3: broken"), "{}", failing.stderr);
}

#[test]
fn a_plugin_that_hangs_is_ended_and_does_not_hide_what_others_say() {
    let home = Home::new();
    home.app("fine").app("slow");
    for app in ["fine", "slow"] {
        home.property("scheduler", app, "selected", "k3s");
    }
    let hook =
        "#!/bin/sh\n[ $2 = slow ] && { echo $$ >\"$DOKKU_LIB_ROOT/pid\"; sleep 300; }\necho '1 true'\n";
    home.script("lib/plugins/enabled/k3s/scheduler-app-status", hook);
    let begun = Instant::now();
    let both = said(&mut home.report(&["--running"]));
    assert_eq!((both.status, &*both.stdout), (1, "true\nunknown\n"));
    assert!(both.stderr.contains("slow") && both.stderr.contains("within 10 s"), "{}", both.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let pid = fs::read_to_string(home.lib().join("pid")).expect("it was called");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "the hook outlived the report");
}

#[test]
fn refusals_name_the_thing_and_have_their_exit_status() {
    let home = Home::new();
    home.app("blog");
    let long = "a".repeat(4096);
    for (arguments, status, words) in [
        (&["nope"][..], 20, "nope"),
        (&["blog", "nope"], 20, "nope"),
        (&["../x"], 1, "../x"),
        (&["A"], 1, "\"A\""),
        (&[""], 1, "missing"),
        (&[&long], 1, "4096"),
        (&["blog", "--format", "xml"], 2, "\"xml\""),
        (&["blog", "--format"], 2, "--format"),
        (&["blog", "--running", "--json"], 2, "--running"),
        (&["blog", "--columns", "app"], 2, "csv"),
        (&["blog", "--status-web.9"], 2, "--status-web.9"),
        (&["--global", "--restore"], 2, "--restore"),
        (&["--global", "blog"], 2, "--global"),
        (&["-x"], 2, "-x"),
    ] {
        let said = said(&mut home.report(arguments));
        assert_eq!((said.status, &*said.stdout), (status, ""), "{arguments:.40?}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{arguments:.40?}: {}", said.stderr);
        assert!(said.stderr.len() < 2000 && said.stderr.ends_with('\n'), "{}", said.stderr);
    }
}

#[test]
fn inside_dokku_odd_lines_mean_what_they_mean_there() {
    let home = Home::new();
    let none = said(&mut home.dokku(&["--bogus"]));
    let warning = " !     You haven't deployed any applications yet\n";
    assert_eq!((none.status, &*none.stdout, &*none.stderr), (0, "", warning));
    home.app("a.b-c").app("z_9");
    let dokku = |arguments: &[&str]| said(&mut home.dokku(arguments));
    assert_eq!(dokku(&["nope", "--running", "--deployed"]).status, 2, "wrong usage, whatever else is wrong");
    assert_eq!(dokku(&["nope", "--format", "xml"]).status, 20, "the app is looked for first");
    assert_eq!(dokku(&["--global", "a.b-c"]).stdout, dokku(&["--global"]).stdout);
    assert_eq!(dokku(&[""]).stdout, dokku(&[]).stdout);
    assert!(dokku(&[]).stdout.starts_with("=====> a.b-c ps information\n"));
    for format in [&["--format", "stdout"][..], &["--format=stdout"], &["--format", ""]] {
        assert_eq!(dokku(&[&["z_9"], format].concat()).stdout, dokku(&["z_9"]).stdout, "{format:?}");
        assert_eq!(dokku(&[&["z_9", "--deployed"], format].concat()).stdout, "false\n", "{format:?}");
    }
    let bogus = dokku(&["--global", "--status-web.1"]);
    let valid = "--ps-computed-procfile-path, --ps-computed-restart-policy, --ps-computed-skip-deploy, \
                 --ps-computed-stop-timeout-seconds, --ps-global-procfile-path, --ps-global-restart-policy, \
                 --ps-global-skip-deploy, --ps-global-stop-timeout-seconds";
    assert_eq!(
        (bogus.status, bogus.stderr),
        (1, format!(" !     Invalid flag passed, valid flags: {valid}\n"))
    );
}

#[test]
fn what_makes_dokku_panic_is_answered() {
    let home = Home::new();
    home.app("blog").write("home/blog/CONTAINER.web.1", "").write("home/blog/CONTAINER.web.2", "ab\n");
    let ran = said(home.dokku(&["blog"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!(ran.status, 1);
    let rows = "       Status web 1:                     unknown (CID: )\n       Status web 2:                     unknown (CID: ab)\n";
    assert!(ran.stdout.ends_with(rows), "{}", ran.stdout);
    let last = said(&mut home.dokku(&["blog", "--format"]));
    assert_eq!((last.status, &*last.stdout), (2, ""));
    fs::remove_file(home.root().join("blog/CONTAINER.web.1")).expect("it was there");
    fs::remove_file(home.root().join("blog/CONTAINER.web.2")).expect("it was there");
    let [equals, apart] = [&["blog", "--format=json"][..], &["blog", "--format", "json"]]
        .map(|words| said(&mut home.dokku(words)));
    assert_eq!((equals.status, &equals.stdout), (0, &apart.stdout));
    home.property("scheduler", "blog", "selected", "nobody");
    let unanswered = said(&mut home.dokku(&["blog", "--running"]));
    assert_eq!((unanswered.status, &*unanswered.stdout), (1, "unknown\n"));
}

#[test]
fn restore_is_shown_as_it_is_stored() {
    let home = Home::new();
    home.app("blog");
    let restore = || said(&mut home.dokku(&["blog", "--restore"])).stdout;
    assert_eq!(restore(), "true\n");
    for stored in ["false", "true", "no", "1", ""] {
        home.property("ps", "blog", "restore", stored);
        assert_eq!(restore(), format!("{stored}\n"));
    }
}

#[test]
fn statuses_are_sorted_as_bytes_and_stand_in_the_column_of_the_widest_flag() {
    let home = Home::new();
    home.app("blog");
    for slot in ["web.1", "web.2", "web.10", "my-worker.10", "UP_per.1"] {
        home.write(format!("home/blog/CONTAINER.{slot}"), &format!("{}\n", "c".repeat(64)));
    }
    let text = |home: &Home| said(home.dokku(&["blog"]).env("DOCKER_HOST", NOWHERE));
    let first = text(&home);
    assert_eq!(first.status, 1, "there is no engine");
    let rows = |names: &[&str], width: usize| -> String {
        let row = |name: &&str| format!("       {name:width$}unknown (CID: ccccccccccc)\n");
        names.iter().map(row).collect()
    };
    let mut names =
        vec!["Status UP_per 1:", "Status my worker 10:", "Status web 1:", "Status web 10:", "Status web 2:"];
    assert!(first.stdout.ends_with(&rows(&names, 34)), "{}", first.stdout);
    assert!(first.stdout.contains("       Deployed:                         true\n"), "{}", first.stdout);
    let long = "z".repeat(60);
    home.write(format!("home/blog/CONTAINER.{long}.1"), &format!("{}\n", "c".repeat(64)));
    let label = format!("Status {long} 1:");
    names.push(&label);
    let second = text(&home).stdout;
    let width = "--status-".len() + 60 + ".1".len();
    assert!(second.ends_with(&rows(&names, width)), "{second}");
    assert!(second.contains(&format!("       {:width$}true\n", "Deployed:")), "{second}");
    let flag = said(home.dokku(&["blog", "--status-my-worker.10"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((flag.status, &*flag.stdout), (1, "unknown (CID: ccccccccccc)\n"));
}

#[test]
fn no_apps_are_no_failure() {
    let home = Home::new();
    let ours = said(&mut home.report(&[]));
    assert_eq!((ours.status, &*ours.stdout), (0, ""));
    assert!(ours.stderr.contains("no apps"), "{}", ours.stderr);
    let dokkus = said(&mut home.dokku(&["--format", "json"]));
    assert_eq!((dokkus.status, &*dokkus.stdout), (0, ""));
    assert_eq!(dokkus.stderr, " !     You haven't deployed any applications yet\n");
}

#[test]
fn quiet_leaves_out_the_header() {
    let home = Home::new();
    home.app("blog");
    let loud = said(&mut home.report(&["blog"])).stdout;
    let quiet = said(&mut home.report(&["--quiet", "blog"])).stdout;
    assert_eq!(loud, format!("=====> blog ps information\n{quiet}"));
    let from_dokku = said(home.dokku(&["blog"]).env("DOKKU_QUIET_OUTPUT", "1")).stdout;
    assert_eq!(from_dokku, quiet);
}

#[test]
fn watching_writes_json_lines_until_the_reader_goes_away() {
    let home = Home::new();
    home.app("blog");
    let mut watching = Program::new(env!("CARGO_BIN_EXE_ps-report"))
        .args(["blog", "--watch=0.1"])
        .env("DOKKU_ROOT", home.root())
        .env("DOKKU_LIB_ROOT", home.lib())
        .env_remove("PLUGIN_PATH")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    for expected in ["false", "true"] {
        home.property("ps", "blog", "skip-deploy", expected);
        let patience = Instant::now() + DEADLINE;
        loop {
            let line = lines.next().expect("it goes on").expect("text");
            let row: Value = serde_json::from_str(&line).expect("an object");
            if row["skip-deploy"] == expected {
                break;
            }
            assert!(Instant::now() < patience, "it never saw {expected}: {line}");
        }
    }
    drop(lines);
    let patience = Instant::now() + DEADLINE;
    let status = loop {
        match watching.try_wait().expect("our child") {
            Some(status) => break status,
            None if Instant::now() > patience => {
                watching.kill().expect("our child");
                panic!("it went on without a reader");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "a closed pipe is a polite goodbye: {status}");
}

#[test]
fn watching_on_a_terminal_redraws_the_text_in_place() {
    let home = Home::new();
    home.app("blog");
    let command = format!("{} blog --watch=0.1", env!("CARGO_BIN_EXE_ps-report"));
    let started = Program::new("script")
        .args(["--quiet", "--flush", "--command", &command, "/dev/null"])
        .env("DOKKU_ROOT", home.root())
        .env("DOKKU_LIB_ROOT", home.lib())
        .env_remove("PLUGIN_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut terminal) = started else {
        skipped::skip("no script(1), which makes a terminal");
        return;
    };
    let mut output = terminal.stdout.take().expect("a pipe");
    let patience = Instant::now() + DEADLINE;
    let mut seen = String::new();
    let redraw =
        "\x1b[H\x1b[J=====> blog ps information\r\n       Deployed:                         false\r\n";
    while seen.matches(redraw).count() < 3 {
        let mut some = [0; 4096];
        let read = std::io::Read::read(&mut output, &mut some).expect("a pipe");
        seen.push_str(&String::from_utf8_lossy(&some[..read]));
        assert!(read > 0 && Instant::now() < patience, "it never redrew: {seen:?}");
    }
    terminal.kill().expect("our child");
    terminal.wait().expect("our child");
    assert!(seen.starts_with("\x1b[H\x1b[J"), "{seen:?}");
    assert!(!seen.contains('{'), "a terminal gets text: {seen:?}");
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_a_closed_pipe_is_not() {
    let home = Home::new();
    home.app("blog");
    let run = |stdout: Stdio| {
        Program::new(env!("CARGO_BIN_EXE_ps-report"))
            .env("DOKKU_ROOT", home.root())
            .env("DOKKU_LIB_ROOT", home.lib())
            .stdout(stdout)
            .stderr(Stdio::null())
            .status()
            .expect("it runs")
    };
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    assert_eq!(run(Stdio::from(full)).code(), Some(1));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(run(Stdio::from(writer)).code(), Some(0));
}
