//! A swarm of several real engines on this machine, for tests that break it. The script `cluster` beside this crate makes and breaks it;
//! a test asks for one, and it is gone when the test is. There are three at a time at most: each of their nodes is a whole engine.

mod obstacle;
mod switch;
mod turn;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use turn::Turn;

/// The image that each node has, as the machine's own engine has it.
pub const IMAGE: &str = "formation-test/busybox:latest";

/// How often nodes report: so seldom that each of them is believed to live, however busy the machine is; and so often that a loss is soon noticed.
const PATIENT: &str = "20s";
const QUICK: &str = "2s";

/// A swarm. It is ended with its value.
#[derive(Debug)]
pub struct Cluster {
    /// Held for as long as there is the cluster.
    turn: Turn,
}

impl Cluster {
    /// A swarm of this many nodes, numbered from 1, of which the first three are managers; of fewer than three nodes only the first one
    /// is. Waits until fewer than three other tests have a cluster. `None`, noted as skipped, where this machine cannot have one.
    pub fn up(nodes: u8) -> Option<Self> {
        Self::begin(nodes, &["--heartbeat", PATIENT])
    }

    /// The same, of nodes that ask the registry of an image before they start a task, as usual engines do.
    pub fn up_to_pull(nodes: u8) -> Option<Self> {
        Self::begin(nodes, &["--heartbeat", PATIENT, "--pull"])
    }

    /// The same, where the loss of a node is noticed after about six seconds. On a very busy machine a node that lives may be given up.
    pub fn up_to_lose_nodes(nodes: u8) -> Option<Self> {
        Self::begin(nodes, &["--heartbeat", QUICK])
    }

    fn begin(nodes: u8, manner: &[&str]) -> Option<Self> {
        if let Some(obstacle) = obstacle::of_this_machine() {
            skipped::skip(obstacle);
            return None;
        }
        let cluster = Self { turn: Turn::wait() };
        // What a test left that was killed.
        cluster.run(&["down"]);
        cluster.run(&[manner, &["up", &nodes.to_string()]].concat());
        Some(cluster)
    }

    /// What the script `cluster` calls it.
    pub fn name(&self) -> &str {
        self.turn.name
    }

    /// The socket of a node's engine. Every process of this machine can use it.
    pub fn socket(&self, node: u8) -> PathBuf {
        let host = self.run(&["host", &node.to_string()]);
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
        said("cluster image", self.script().args(["image", name]), dockerfile.as_bytes());
    }

    /// A power cut of a node: nobody sees its connections close, and only its disk stays.
    pub fn lose(&self, node: u8) {
        self.on("lose", node);
    }

    /// Brings a node up again, whatever became of it.
    pub fn heal(&self, node: u8) {
        self.on("heal", node);
    }

    /// Unplugs a node's network cable. Its engine and its containers go on.
    pub fn cut(&self, node: u8) {
        self.on("cut", node);
    }

    /// Plugs it in again.
    pub fn mend(&self, node: u8) {
        self.on("mend", node);
    }

    /// Ends a node's engine in good order.
    pub fn stop(&self, node: u8) {
        self.on("stop", node);
    }

    /// Moves a node's tasks to others.
    pub fn drain(&self, node: u8) {
        self.on("drain", node);
    }

    /// Lets a node have tasks again.
    pub fn admit(&self, node: u8) {
        self.on("admit", node);
    }

    /// Gives the machine of a node another hostname, which its engine tells the managers some seconds later.
    pub fn rename(&self, node: u8, name: &str) {
        self.run(&["exec", &node.to_string(), "hostname", name]);
    }

    /// A command in the network that joins the nodes: there, what a task publishes on its node can be reached.
    pub fn in_switch(&self, program: &Path) -> Command {
        let mut command = self.script();
        command.arg("switch").arg(program);
        command
    }

    /// Runs something on a thread in the network that joins the nodes.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        switch::inside(&format!("fswarm-{}", self.name()), act)
    }

    /// Runs something on a thread in the network of a node, as programs of that machine would.
    pub fn at<T: Send>(&self, node: u8, act: impl FnOnce() -> T + Send) -> T {
        switch::inside(&format!("fswarm-{}-{node}", self.name()), act)
    }

    fn on(&self, verb: &str, node: u8) {
        self.run(&[verb, &node.to_string()]);
    }

    fn run(&self, words: &[&str]) -> String {
        said(&format!("cluster {}", words.join(" ")), self.script().args(words), b"")
    }

    fn script(&self) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster"));
        command.args(["--name", self.name()]);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let ended = self.script().arg("down").stdin(Stdio::null()).status();
        // A test that has failed already says why it has.
        assert!(
            std::thread::panicking() || ended.is_ok_and(|ended| ended.success()),
            "the cluster did not end"
        );
    }
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
