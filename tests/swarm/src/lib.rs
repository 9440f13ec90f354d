//! A swarm of several real engines on this machine, for tests that break it. The script `cluster` beside this crate makes and breaks it;
//! a test asks for one, and it is gone when the test is. There is one at a time: each of its nodes is a whole engine.

mod obstacle;
mod switch;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

/// The image that each node has, as the machine's own engine has it.
pub const IMAGE: &str = "formation-test/busybox:latest";

/// The name of the cluster of the tests; one that somebody looks at by hand has another.
const NAME: &str = "test";

/// A swarm. It is ended with its value.
#[derive(Debug)]
pub struct Cluster {
    /// Held for as long as there is the cluster.
    _turn: File,
}

impl Cluster {
    /// A swarm of this many nodes, numbered from 1, of which the first three are managers; of fewer than three nodes only the first one
    /// is. Waits until no other test has a cluster. `None`, noted as skipped, where this machine cannot have one.
    pub fn up(nodes: u8) -> Option<Self> {
        if let Some(obstacle) = obstacle::of_this_machine() {
            skipped::skip(obstacle);
            return None;
        }
        // Every test program of this machine sees this directory, whatever its own place for files is, and nothing has to be left in it.
        let turn = File::open("/run").expect("every machine has /run");
        flock(&turn, FlockOperation::LockExclusive).expect("a directory can be locked");
        let cluster = Self { _turn: turn };
        // What a test left that was killed.
        Self::run(&["down"]);
        Self::run(&["up", &nodes.to_string()]);
        Some(cluster)
    }

    /// The socket of a node's engine. Every process of this machine can use it.
    pub fn socket(&self, node: u8) -> PathBuf {
        let host = Self::run(&["host", &node.to_string()]);
        PathBuf::from(host.trim().strip_prefix("unix://").expect("the engine of a node listens on a socket"))
    }

    /// The address at which the other nodes, and [`Cluster::inside`], reach a node.
    pub fn address(&self, node: u8) -> String {
        format!("10.77.0.{}", 10 + node)
    }

    /// What Docker's own client says of one node's engine; it has to succeed.
    pub fn docker(&self, node: u8, words: &[&str]) -> String {
        let host = format!("unix://{}", self.socket(node).display());
        said("docker", Command::new("docker").args(words).env("DOCKER_HOST", host), b"")
    }

    /// Makes an image from the text of a Dockerfile, and gives it to each node that runs.
    pub fn image(&self, name: &str, dockerfile: &str) {
        said("cluster image", script().args(["image", name]), dockerfile.as_bytes());
    }

    /// A power cut of a node: nobody sees its connections close, and only its disk stays.
    pub fn lose(&self, node: u8) {
        Self::on("lose", node);
    }

    /// Brings a node up again, whatever became of it.
    pub fn heal(&self, node: u8) {
        Self::on("heal", node);
    }

    /// Unplugs a node's network cable. Its engine and its containers go on.
    pub fn cut(&self, node: u8) {
        Self::on("cut", node);
    }

    /// Plugs it in again.
    pub fn mend(&self, node: u8) {
        Self::on("mend", node);
    }

    /// Ends a node's engine in good order.
    pub fn stop(&self, node: u8) {
        Self::on("stop", node);
    }

    /// Moves a node's tasks to others.
    pub fn drain(&self, node: u8) {
        Self::on("drain", node);
    }

    /// Lets a node have tasks again.
    pub fn admit(&self, node: u8) {
        Self::on("admit", node);
    }

    /// A command in the network that joins the nodes: there, what a task publishes on its node can be reached.
    pub fn in_switch(&self, program: &Path) -> Command {
        let mut command = script();
        command.arg("switch").arg(program);
        command
    }

    /// Runs something on a thread in the network that joins the nodes.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        switch::inside(&format!("fswarm-{NAME}"), act)
    }

    /// Runs something on a thread in the network of a node, as programs of that machine would.
    pub fn at<T: Send>(&self, node: u8, act: impl FnOnce() -> T + Send) -> T {
        switch::inside(&format!("fswarm-{NAME}-{node}"), act)
    }

    fn on(verb: &str, node: u8) {
        Self::run(&[verb, &node.to_string()]);
    }

    fn run(words: &[&str]) -> String {
        said(&format!("cluster {}", words.join(" ")), script().args(words), b"")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let ended = script().arg("down").stdin(Stdio::null()).status();
        // A test that has failed already says why it has.
        assert!(
            std::thread::panicking() || ended.is_ok_and(|ended| ended.success()),
            "the cluster did not end"
        );
    }
}

fn script() -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster"));
    command.args(["--name", NAME]);
    command
}

/// What a command says on stdout when it is given `input`; it has to succeed.
fn said(what: &str, command: &mut Command, input: &[u8]) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut stdin = child.stdin.take().expect("it was asked for");
    // Whoever reads nothing may have gone.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap_or_else(|error| panic!("{what}: {error}"))
}
