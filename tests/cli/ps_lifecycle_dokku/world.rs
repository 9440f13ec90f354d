//! A Dokku-shaped world: our plugin as it is, and beside it one whose hooks write down how they were called.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use assert_cmd::Command;

use crate::support::{Place, Ran, run};

pub(crate) const PROCFILE: &str =
    "# the sample\nweb: python3 -m http.server $PORT\nworker: sleep 100000\nrelease: echo releasing\n";

/// Every trigger of other plugins that a verb may call.
const TRIGGERS: [&str; 16] = [
    "deploy",
    "deployed-app-image-tag",
    "post-stop",
    "pre-restore",
    "pre-start",
    "proxy-build-config",
    "proxy-clear-config",
    "receive-app",
    "release-and-deploy",
    "scheduler-app-status",
    "scheduler-inspect",
    "scheduler-is-deployed",
    "scheduler-pre-restore",
    "scheduler-retire",
    "scheduler-run-retire",
    "scheduler-stop",
];

/// Another program of ours.
pub(crate) fn program_beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_ps-lifecycle")).with_file_name(name)
}

pub(crate) struct Dokku {
    pub(crate) place: Place,
}

impl Dokku {
    /// Apps demo, deployed, and idle, as the recordings' own page describes them.
    pub(crate) fn new() -> Self {
        let dokku = Self { place: Place::new() };
        let place = &dokku.place;
        for app in ["demo", "idle"] {
            place.app(app);
            place.write(&format!("lib/config/ps/{app}/scale.old"), "");
        }
        place.write("lib/config/ps/demo/scale", "web=1\nrelease=0\nworker=0\n");
        place.write("lib/config/ps/idle/scale", "web=1\n");
        place.write("lib/config/ps/demo/can-scale", "true");
        place.write("lib/config/ps/demo/restore", "true");
        place.write("lib/config/common/demo/deployed", "true");
        place.write_mode("lib/data/ps/demo/Procfile", PROCFILE, 0o644);
        for trigger in TRIGGERS {
            dokku.hook(trigger, "");
        }
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../triggers/ps");
        symlink(ours, place.lib().join("plugins/enabled/ps")).expect("our plugin");
        dokku
    }

    /// A hook of another plugin: writes down its call, then does `script`, a piece of shell.
    pub(crate) fn hook(&self, trigger: &str, script: &str) {
        let log = self.log();
        let note = format!(
            "#!/bin/bash\n{{ printf 'trigger %s' \"${{0##*/}}\"; [ $# = 0 ] || printf ' %q' \"$@\"; echo; }} >>{}\n{script}\n",
            log.display()
        );
        self.place.script(&format!("lib/plugins/enabled/other/{trigger}"), &note);
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("calls")
    }

    /// What was called so far, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.log()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// `dokku ps:<verb> <word>…`, as the front-end calls it, without the words that it takes for itself.
    pub(crate) fn ps(&self, words: &[&str]) -> Command {
        let mut command = self.place.command_inside_dokku(env!("CARGO_BIN_EXE_ps-lifecycle"));
        command.args(words);
        Self::surround(&mut command);
        command
    }

    /// One of our hooks, as plugn calls it.
    pub(crate) fn trigger(&self, words: &[&str]) -> Command {
        let hook = self.place.lib().join("plugins/enabled/ps").join(words[0]);
        let mut command = self.place.command_inside_dokku(hook);
        command.args(&words[1..]);
        Self::surround(&mut command);
        command
    }

    /// What programs are found by.
    pub(crate) fn path() -> String {
        let programs = program_beside("");
        // A plugn of our own, so that one of this machine's has no say.
        let plugn = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/triggers/bin");
        let rest = std::env::var("PATH").expect("a PATH");
        format!("{}:{}:{rest}", plugn.display(), programs.display())
    }

    fn surround(command: &mut Command) {
        command.env("PATH", Self::path()).env("DOKKU_PID", "4242").env_remove("DOKKU_BUILD_ID");
        command.env_remove("DOCKER_HOST").env_remove("SKIP_REBUILD");
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        run(&mut self.ps(words))
    }

    /// Says that the app has a container of this id as web.1.
    pub(crate) fn container(&self, app: &str, id: &str) {
        self.place.write(&format!("home/{app}/CONTAINER.web.1"), &format!("{id}\n"));
    }
}

/// A container that runs; it is removed with this value.
pub(crate) struct Container(pub(crate) String);

impl Container {
    /// `None` where no engine answers; says so.
    pub(crate) fn start() -> Option<Self> {
        let labels = ["--label=dokku", "--label=com.dokku.container-type=deploy"];
        let mut docker = Program::new("docker");
        docker.args(["run", "--detach", "--network=none"]).args(labels);
        match docker.args(["formation-test/busybox:latest", "sleep", "600"]).output() {
            Ok(output) if output.status.success() => {
                Some(Self(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
            }
            other => {
                skipped::skip(format_args!("no engine (scripts/setup starts one): {other:?}"));
                None
            }
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Program::new("docker").args(["rm", "--force", &self.0]).output();
    }
}
