//! The `release` process of an app on a swarm that fails, in each of its ways: nothing is changed, one line says why, and nothing is left.

use std::process::Command;

use swarm_cluster::{Cluster, IMAGE};

use crate::home::{Home, eventually};
use crate::swarm::Place;

/// What is written to the Procfile of an image, as its `release`.
const WAYS: [(&str, &str); 4] = [
    ("fails", "echo no such table; exit 3"),
    ("hangs", "echo waiting for the lock; exec sleep 1000"),
    ("lacks", "migrate-everything --now"),
    ("killed", "echo half way; exec sleep 1001"),
];

fn image(way: &str) -> String {
    format!("formation-test/release-{way}:1")
}

/// The services that the swarm has, and the containers that the node has.
fn there(cluster: &Cluster) -> (String, Vec<String>) {
    let containers = cluster.docker(1, &["ps", "--all", "--quiet", "--no-trunc"]);
    let mut containers: Vec<String> = containers.lines().map(str::to_owned).collect();
    containers.sort();
    (cluster.docker(1, &["service", "ls", "--format", "{{.Name}} {{.Replicas}}"]), containers)
}

#[test]
fn a_release_process_that_fails_hangs_is_killed_or_is_not_there_changes_nothing_and_leaves_nothing() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    for (way, command) in WAYS {
        let procfile = format!("web: exec sleep 1000\\nrelease: {command}\\n");
        let text = format!("FROM {IMAGE}\nWORKDIR /app\nRUN printf '{procfile}' >Procfile\n");
        cluster.image(&image(way), &text);
    }
    place.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--image",
        IMAGE,
        "--scheduler",
        "swarm",
        "--",
        "sleep",
        "1000",
    ]);
    let before = there(&cluster);
    for (way, status, told) in [
        ("fails", "failed (exit status 3)", "no such table"),
        ("lacks", "failed (exit status 127)", "migrate-everything: not found"),
        ("hangs", "took longer than 2s", "waiting for the lock"),
        ("killed", "failed (signal 9)", "half way"),
    ] {
        let limit = if way == "hangs" { "2" } else { "" };
        place.does(&["ps-set", "shop", "release.run-timeout", limit]);
        let image = image(way);
        let ran = std::thread::scope(|scope| {
            let deploy = scope.spawn(|| place.run(&["ps-lifecycle", "deploy", "shop", "--image", &image]));
            if way == "killed" {
                kill_when_it_is_half_way(&place);
            }
            deploy.join().expect("nobody panics")
        });
        assert_eq!(ran.status, Some(1), "{way}: {ran:?}");
        let said = ran.stderr.lines().find(|line| line.contains("release.1 of shop")).unwrap_or_default();
        assert!(said.contains(status) && said.contains("nothing was changed"), "{way}: {ran:?}");
        let last = ran.stderr.split("the last it wrote:").nth(1).unwrap_or_default();
        assert!(last.contains(told), "{way}: {ran:?}");
        // A node removes the container a moment after the service is gone.
        eventually(way, || {
            let now = there(&cluster);
            if now == before { Ok(()) } else { Err(format!("{now:?}, and before {before:?}")) }
        });
    }
    place.does(&["ps-lifecycle", "destroy", "shop"]);
    std::fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
}

fn kill_when_it_is_half_way(place: &Place<'_>) {
    let docker = |words: &[&str]| {
        let output = Command::new("docker").args(words).env("DOCKER_HOST", place.host()).output();
        let output = output.expect("docker runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let id = eventually("it runs", || {
        let id = docker(&["ps", "--quiet", "--filter", "label=com.formation.task"]);
        let wrote = if id.is_empty() { String::new() } else { docker(&["logs", &id]) };
        if wrote.contains("half way") { Ok(id) } else { Err(wrote) }
    });
    docker(&["kill", "--signal", "KILL", &id]);
}
