//! `ps-report` as a shell sees it, in a world of its own: what stands in a report, what runs, each format, what a real Dokku printed.

mod support;

#[path = "ps_report/formats.rs"]
mod formats;
#[path = "ps_report/inside_dokku.rs"]
mod inside_dokku;
#[path = "ps_report/instances.rs"]
mod instances;
#[path = "ps_report/recorded.rs"]
mod recorded;
#[path = "ps_report/refusals.rs"]
mod refusals;
#[path = "ps_report/settings.rs"]
mod settings;
#[path = "ps_report/values.rs"]
mod values;
#[path = "ps_report/watch.rs"]
mod watch;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

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
