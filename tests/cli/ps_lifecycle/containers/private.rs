//! An engine of the test's own, with its own data, that may be killed.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::verbs::IMAGE;

/// How long an engine may take to start.
const A_WHILE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// It ends when this is dropped.
pub(super) struct PrivateEngine {
    directory: TempDir,
    socket: PathBuf,
    dockerd: RefCell<Child>,
}

impl PrivateEngine {
    /// With the test image; `None` where none can be started, which is said.
    pub(super) fn start() -> Option<Self> {
        let is_there = Command::new("dockerd").arg("--version").stdout(Stdio::null()).status();
        if !rustix::process::geteuid().is_root() || !is_there.is_ok_and(|status| status.success()) {
            skipped::skip(format_args!("an engine of its own needs root and dockerd"));
            return None;
        }
        let directory = TempDir::new().expect("a directory");
        let socket = directory.path().join("docker.sock");
        let dockerd = RefCell::new(launch(directory.path(), &socket));
        let engine = Self { directory, socket, dockerd };
        engine.answers();
        let image = engine.directory.path().join("image.tar");
        docker(Path::new("/var/run/docker.sock"), &["save", "-o", image.to_str().expect("text"), IMAGE]);
        docker(&engine.socket, &["load", "-i", image.to_str().expect("text")]);
        Some(engine)
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.dockerd.borrow())
    }

    /// Kills it if nobody has, and starts it again on the same data.
    pub(super) fn start_again(&self) {
        let mut dockerd = self.dockerd.borrow_mut();
        let _ = dockerd.kill();
        dockerd.wait().expect("it is ours");
        // Of dead processes that nobody has reaped yet, whom it would believe to be alive.
        for left in ["docker.pid", "exec/containerd/containerd.pid"] {
            let _ = fs::remove_file(self.directory.path().join(left));
        }
        *dockerd = launch(self.directory.path(), &self.socket);
        drop(dockerd);
        self.answers();
    }

    fn answers(&self) {
        let until = Instant::now() + A_WHILE;
        while !ready(&self.socket) {
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the engine does not answer: {}", log());
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        let mut dockerd = self.dockerd.borrow_mut();
        // It ends its containers, and what it has mounted.
        let _ = rustix::process::kill_process(Pid::from_child(&dockerd), Signal::TERM);
        let _ = dockerd.wait();
        self.end_what_is_left();
    }
}

impl PrivateEngine {
    /// An engine that was killed leaves what holds its containers, and mounts.
    fn end_what_is_left(&self) {
        let place = self.directory.path().as_os_str().as_encoded_bytes();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_ours = words.windows(place.len()).any(|part| part == place);
            if let Some(pid) = pid.filter(|_| is_ours) {
                // What it holds first: the processes of a container are children of the shim that is named here.
                let mut children = Command::new("pkill");
                children.args(["--signal", "KILL", "--parent", &pid.as_raw_nonzero().to_string()]);
                let _ = children.status();
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        let mut unmount = Command::new("umount");
        unmount.args(["--recursive", "--lazy"]).arg(self.directory.path().join("data"));
        let _ = unmount.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn ready(socket: &Path) -> bool {
    let host = format!("unix://{}", socket.display());
    let mut version = Command::new("docker");
    version.args(["--host", &host, "version"]).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

fn launch(directory: &Path, socket: &Path) -> Child {
    let path = |name: &str| directory.join(name).display().to_string();
    let log = File::options().create(true).append(true).open(directory.join("log")).expect("a log");
    // In a network of its own: without a bridge it would remove the one of the engine that everybody uses.
    let mut dockerd = Command::new("unshare");
    dockerd.args(["--net", "dockerd", "--host", &format!("unix://{}", socket.display())]);
    dockerd.args([
        "--data-root",
        &path("data"),
        "--exec-root",
        &path("exec"),
        "--pidfile",
        &path("docker.pid"),
    ]);
    dockerd.args(["--bridge", "none", "--iptables=false"]);
    dockerd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    dockerd.spawn().expect("dockerd starts")
}

fn docker(socket: &Path, words: &[&str]) {
    let mut docker = Command::new("docker");
    docker.arg("--host").arg(format!("unix://{}", socket.display())).args(words).stdout(Stdio::null());
    assert!(docker.status().expect("docker runs").success(), "{words:?}");
}
