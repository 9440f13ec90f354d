//! A registry of images on this machine, which runs beside a test and is gone afterwards.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use swarm_cluster::Cluster;
use tempfile::TempDir;

use crate::cage;
use crate::home::eventually;
use crate::program::Running;

/// `ann` and `p~w?>x`, whose base64 has letters that are not those of an address.
const USERS: &str = "ann:$2b$05$pbjFcm0.6jGry5ZgXfMjw.rOV2Wd4LFAy9t9fluzMQf9svTHj.EuG\n";
pub(crate) const PASSWORD: &str = "p~w?>x";

/// The registry; ended when it is dropped.
pub(crate) struct Registry {
    /// `127.0.0.1:<port>`.
    pub(crate) host: String,
    _place: TempDir,
    _running: Running,
}

impl Registry {
    /// Starts one; `None`, noted as skipped, where the program is not here. With `users` it wants credentials.
    pub(crate) fn start(users: bool) -> Option<Self> {
        let program = cage::program("docker-registry")?;
        // Another process may take the port that was free before the registry does: it ends then.
        let started = (0..5).find_map(|_| Self::start_once(&program, users));
        Some(started.expect("one of five ports stays free until the registry listens"))
    }

    /// One that wants credentials, in the network that joins the nodes of a cluster.
    pub(crate) fn among(cluster: &Cluster) -> Option<Self> {
        let program = cage::program("docker-registry")?;
        let started = cluster.inside(|| Self::listening(&program, true, "10.77.0.1:5000".to_owned()));
        Some(started.expect("nobody else listens there"))
    }

    fn start_once(program: &Path, users: bool) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self::listening(program, users, free.expect("a free port").to_string())
    }

    fn listening(program: &Path, users: bool, host: String) -> Option<Self> {
        let place = TempDir::new().expect("a temporary directory");
        let (storage, htpasswd) = (place.path().join("storage"), place.path().join("users"));
        fs::write(&htpasswd, USERS).expect("written");
        let auth = format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", htpasswd.display());
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: \"{host}\"}}\n{}",
            storage.display(),
            if users { auth.as_str() } else { "" }
        );
        let file = place.path().join("config.yml");
        fs::write(&file, config).expect("written");
        let mut command = Command::new(program);
        command.arg("serve").arg(file).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running::begin(command);
        eventually("the registry listens, or has ended", || match TcpStream::connect(&host) {
            Err(error) if running.is_running() => Err(error.to_string()),
            _ => Ok(()),
        });
        running.is_running().then(|| Self { host, _place: place, _running: running })
    }

    /// A config.json with the login that it accepts.
    pub(crate) fn login(&self) -> String {
        format!(r#"{{"auths": {{"{}": {{"auth": "YW5uOnB+dz8+eA=="}}}}}}"#, self.host)
    }

    /// Makes an image of its own and has the registry keep it under this name; its digest reference. This machine's engine forgets it.
    pub(crate) fn keep(&self, name: &str, dockerfile: &str) -> String {
        let image = format!("{}/{name}", self.host);
        let context = TempDir::new().expect("a temporary directory");
        fs::write(context.path().join("Dockerfile"), dockerfile).expect("written");
        docker(&["build", "-q", "-t", &image, context.path().to_str().expect("text")]);
        let config = TempDir::new().expect("a temporary directory");
        fs::write(config.path().join("config.json"), self.login()).expect("written");
        docker(&["--config", config.path().to_str().expect("text"), "push", "-q", &image]);
        let digest = docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", &image]);
        docker(&["image", "rm", "-f", &image]);
        digest.trim().to_owned()
    }
}

/// Runs Docker's own client; what it printed.
pub(crate) fn docker(words: &[&str]) -> String {
    let mut command = Command::new("docker");
    let ran = command.args(words).env("DOCKER_BUILDKIT", "0").output().expect("docker runs");
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}
