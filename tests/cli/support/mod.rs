//! A world of its own for each test: two roots in a temporary directory, and programs that see nothing else.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod golden;
pub(crate) mod recorded;
pub(crate) mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

/// After this long a program counts as hanging.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What lies below a directory: path to permission bits and content (`None`: a directory).
pub(crate) type Contents = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

/// The two roots.
pub(crate) struct Place(TempDir);

/// What came of running a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().expect("a temporary directory"));
        fs::create_dir_all(place.root()).expect("a root");
        fs::create_dir_all(place.lib()).expect("a root");
        place
    }

    /// A place that has this app, with this formation (`web=1` a line each).
    pub(crate) fn with_app(app: &str, scale: &str) -> Self {
        let place = Self::new();
        place.app(app);
        place.write(&format!("lib/config/ps/{app}/scale"), scale);
        place.write(&format!("lib/config/ps/{app}/scale.old"), "");
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("home")
    }

    pub(crate) fn lib(&self) -> PathBuf {
        self.path().join("lib")
    }

    pub(crate) fn app(&self, app: &str) {
        fs::create_dir_all(self.root().join(app)).expect("an app");
    }

    /// Writes a file, mode 0600, and the directories above it.
    pub(crate) fn write(&self, path: &str, content: &str) {
        self.write_mode(path, content, 0o600);
    }

    /// Writes a program.
    pub(crate) fn script(&self, path: &str, content: &str) {
        self.write(&format!("{path}.text"), content);
        self.install(&self.path().join(format!("{path}.text")), path);
        fs::remove_file(self.path().join(format!("{path}.text"))).expect("it was there");
    }

    /// Copies a program here. Another process does it: if we had it open for writing while another test forks, running
    /// it would fail with "text file busy".
    pub(crate) fn install(&self, program: &Path, path: &str) {
        let mut install = std::process::Command::new("install");
        let ended = install.args(["-D", "-m", "755"]).arg(program).arg(self.path().join(path)).status();
        assert!(ended.expect("install runs").success());
    }

    pub(crate) fn write_mode(&self, path: &str, content: &str, mode: u32) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }

    /// The content of a file, empty if there is none.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap_or_default()
    }

    /// A program in this world, outside Dokku.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        for name in ["PLUGIN_PATH", "DOKKU_SYSTEM_USER", "DOKKU_QUIET_OUTPUT", "DOKKU_PID", "FORMATION_LOCK"]
        {
            command.env_remove(name);
        }
        command.env("DOKKU_ROOT", self.root()).env("DOKKU_LIB_ROOT", self.lib()).timeout(DEADLINE);
        // The list of worlds of who runs the tests is neither read nor written.
        command.env("XDG_STATE_HOME", self.path().join("state"));
        command
    }

    /// A program in this world, called by Dokku's front-end.
    pub(crate) fn command_inside_dokku(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.command(program);
        command.env("PLUGIN_PATH", self.lib().join("plugins")).env("DOKKU_SYSTEM_USER", "dokku");
        command
    }

    /// A plugin that hides the app `yours` from ann.
    pub(crate) fn hide_yours_from_ann(&self) {
        let hook = "#!/bin/sh\n[ $# -ge 3 ] || exit 1\nuser=$1; shift 2\n\
                    for app; do [ $user-$app = ann-yours ] || echo $app; done\n";
        self.script("lib/plugins/enabled/acl/user-auth-app", hook);
    }

    /// Everything that lies here.
    pub(crate) fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        collect(self.path(), self.path(), &mut contents);
        contents
    }

    /// What other programs read: all but lock files and the directories that writes are staged in.
    pub(crate) fn state(&self) -> Contents {
        let is_state = |path: &PathBuf| {
            !path.components().any(|part| part.as_os_str() == ".stage")
                && !path.starts_with("lib/data/formation")
        };
        self.contents()
            .into_iter()
            .filter(|(path, (_, content))| content.is_some() && is_state(path))
            .collect()
    }
}

fn collect(base: &Path, directory: &Path, contents: &mut Contents) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        let mode = entry.metadata().expect("it is there").permissions().mode() & 0o7777;
        let name = path.strip_prefix(base).expect("it lies below").to_owned();
        if path.is_dir() {
            contents.insert(name, (mode, None));
            collect(base, &path, contents);
        } else {
            contents.insert(name, (mode, Some(fs::read(&path).expect("a file"))));
        }
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
