//! Three machines with Docker for a page about them: nodes of `tests/swarm/cluster`, before somebody has made a swarm of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use swarm_cluster::{Cluster, IMAGE};

use crate::home::Home;

/// What a page may say of machines, for its script. A node is made where the machine's control groups are seen, which is outside of the network in
/// which the page is run.
pub(crate) const WORDS: &str = r#"
at() { export DOCKER_HOST=$("$CLUSTER" --name "$CLUSTER_NAME" host "${1#node}"); }
machine() { nsenter --target "$OUTSIDE" --mount --net "$CLUSTER" --name "$CLUSTER_NAME" "$1" "${2#node}" >/dev/null; }
at node1
"#;

/// The image that a page deploys. Here no registry has it, and each machine has been given it.
const OF_PAGES: [&str; 2] = ["registry.example.org/shop:1", "registry.example.org/shop:2"];

pub(crate) struct Machines {
    cluster: Cluster,
}

impl Machines {
    /// The machines; `None`, noted as skipped, where they cannot be had.
    pub(crate) fn up() -> Option<Self> {
        let cluster = Cluster::up(3)?;
        for (number, name) in (1..).zip(OF_PAGES) {
            let page = format!("RUN mkdir /srv && echo 'hello, release {number}' >/srv/index.html");
            let serve = "CMD [\"sh\", \"-c\", \"exec busybox httpd -f -p $PORT -h /srv\"]";
            cluster.image(name, &format!("FROM {IMAGE}\n{page}\n{serve}\n"));
        }
        for node in [3, 2, 1] {
            cluster.docker(node, &["swarm", "leave", "--force"]);
        }
        Some(Self { cluster })
    }

    /// A command on the first one.
    pub(crate) fn first(&self, home: &Home, words: &[&str]) -> Command {
        let script = script();
        let directory = script.parent().expect("a script lies in a directory");
        let mut command = home
            .command_at(directory, &[&["cluster", "--name", self.cluster.name(), "switch"], words].concat());
        command.env("DOCKER_HOST", format!("unix://{}", self.cluster.socket(1).display()));
        command.env("CLUSTER", &script).env("CLUSTER_NAME", self.cluster.name());
        command.env("OUTSIDE", std::process::id().to_string());
        // <root>/<name>/<node>/docker.sock
        let root = self.cluster.socket(1).ancestors().nth(3).expect("it lies below").to_owned();
        command.env("FORMATION_SWARM_ROOT", root);
        command
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/swarm/cluster")
        .canonicalize()
        .expect("it is there")
}
