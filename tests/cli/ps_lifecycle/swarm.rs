//! An app on a swarm, by the same words as elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use swarm_cluster::{Cluster, IMAGE};

use crate::home::{Home, slot};
use crate::https_containers::free_port;
use crate::program::{Ran, run};

/// A home whose programs ask the engine of one node.
pub(crate) struct Place<'a> {
    home: &'a Home,
    host: String,
}

impl<'a> Place<'a> {
    pub(crate) fn new(home: &'a Home, cluster: &Cluster) -> Self {
        Self::asking(home, cluster, 1)
    }

    pub(crate) fn asking(home: &'a Home, cluster: &Cluster, node: u8) -> Self {
        Self { home, host: format!("unix://{}", cluster.socket(node).display()) }
    }

    /// The engine that they ask, as `DOCKER_HOST`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(words);
        command.env("DOCKER_HOST", &self.host);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        run(self.command(words))
    }

    pub(crate) fn does(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.status, Some(0), "{words:?}: {ran:?}");
        ran.stdout
    }

    /// `web.1 running` for each instance of `shop`.
    fn rows(&self) -> Vec<String> {
        let ran = self.run(&["ps-lifecycle", "status", "shop", "--json"]);
        ran.rows()
            .iter()
            .map(|row| format!("{} {}", slot(row), row["state"].as_str().unwrap_or_default()))
            .collect()
    }
}

/// The words that deploy `shop` from the usual image.
fn deploying(scheduler: &str) -> [&str; 7] {
    ["ps-lifecycle", "deploy", "shop", "--image", IMAGE, "--scheduler", scheduler]
}

#[test]
fn an_app_is_deployed_to_a_swarm_scaled_restarted_rolled_back_stopped_and_destroyed() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    cluster.image("formation-test/second:1", &format!("FROM {IMAGE}\nLABEL second=1\n"));
    cluster.image(
        "formation-test/bad:1",
        &format!("FROM {IMAGE}\nCMD [\"sh\", \"-c\", \"echo no database; exit 3\"]\n"),
    );

    let deploy = |image: &str| {
        place.run(&["ps-lifecycle", "deploy", "shop", "--image", image, "--scheduler", "swarm"])
    };
    place.does(&[&deploying("swarm")[..], &["--scale", "web=2"]].concat());
    assert_eq!(place.rows(), ["web.1 running", "web.2 running"]);
    let rows = place.run(&["ps-lifecycle", "status", "shop", "--json"]).rows();
    assert!(rows.iter().all(|row| row["node"].is_string() && row["task"].is_string()), "{rows:?}");
    let dry = place.does(&["ps-scale", "shop", "web=1", "--dry-run"]);
    assert!(dry.contains("web.1            either   its scheduler chooses 1 of 2 to stop"), "{dry}");
    place.does(&["ps-scale", "shop", "web=3"]);
    assert_eq!(place.rows().len(), 3);
    assert_eq!(place.does(&["ps-report", "shop", "--running"]).trim(), "true");

    let processes = place.run(&["ps-lifecycle", "processes", "shop", "--json"]).rows();
    let slots: BTreeSet<String> = processes.iter().map(slot).collect();
    assert_eq!(slots.len(), 3, "all of them run on this node: {processes:?}");
    assert_eq!(
        place.does(&["ps-lifecycle", "enter", "shop", "web.2", "--", "sh", "-c", "echo $DYNO"]),
        "web.2\n"
    );

    let bad = deploy("formation-test/bad:1");
    bad.is_refused(1, &["of shop ended with exit status 3; the last it wrote:"]);
    assert!(bad.stderr.contains("\n    no database\n"), "{bad:?}");
    assert_eq!(place.rows(), ["web.1 running", "web.2 running", "web.3 running"]);
    assert_eq!(deploy("formation-test/second:1").status, Some(0));
    let images = || {
        cluster.docker(
            1,
            &["service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "shop_web"],
        )
    };
    let second = images();
    place.does(&["ps-lifecycle", "rollback", "shop"]);
    assert_ne!(images(), second, "the earlier release runs again");
    place.does(&["ps-lifecycle", "restart", "shop", "web"]);
    place
        .run(&["ps-lifecycle", "restart", "shop", "web.2"])
        .is_refused(1, &["replaces all instances of a type together"]);

    place.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!(place.rows(), ["web.1 stopped", "web.2 stopped", "web.3 stopped"]);
    place.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(place.rows(), ["web.1 running", "web.2 running", "web.3 running"]);
    cluster.docker(1, &["service", "rm", "shop_web"]);
    let status = place.run(&["ps-lifecycle", "status", "shop"]);
    assert!(status.stderr.contains("somebody has removed them: ps-lifecycle converge shop"), "{status:?}");
    place.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(place.rows(), ["web.1 running", "web.2 running", "web.3 running"]);
    place.does(&["ps-lifecycle", "destroy", "shop"]);
    assert_eq!(cluster.docker(1, &["service", "ls", "-q"]), "");
    fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
}

#[test]
fn what_a_swarm_cannot_do_is_refused_and_without_one_a_line_says_what_to_do() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    let source = home.source("shop", "web: sleep 600\n");
    let directory = place.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scheduler", "swarm"]);
    directory.is_refused(1, &["says how it becomes an image"]);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--image", IMAGE, "--scheduler", "swarm"];
    place.does(&["ps-set", "--global", "publish", "ingress"]);
    place
        .run(&[&deploy[..], &["--listen", &free_port().to_string()]].concat())
        .is_refused(1, &["web.publish is ingress", "ps-set shop web.publish host"]);
    place.does(&["ps-set", "--global", "publish", ""]);
    // An engine refuses more CPUs than it has, and nothing finds room that is reserved on no node. A limit reserves nothing.
    for (name, value, said) in [
        ("cpu-max", "900", "web.cpu-max is 900, and no node that may run web has more than"),
        ("engine-options", "memory-reservation=9000g", "web.engine-options reserves 9000g of memory"),
    ] {
        place.does(&["ps-set", "--global", name, value]);
        place.run(&deploy).is_refused(1, &[said]);
        place.does(&["ps-set", "--global", name, ""]);
    }
    // A count that is refused is not kept, wherever the app runs.
    for scheduler in ["docker-local", "swarm"] {
        place.does(&deploying(scheduler));
        let (setting, value) =
            if scheduler == "swarm" { ("cpu-max", "900") } else { ("mounts", "/nowhere:/data") };
        place.does(&["ps-set", "shop", setting, value]);
        for dry in [&["--dry-run"][..], &[]] {
            let words = [&["ps-scale", "shop", "web=2"], dry].concat();
            let ran = place.run(&words);
            ran.is_refused(1, &[setting]);
            assert!(ran.stderr.contains("refuses"), "{ran:?}");
        }
        assert!(place.does(&["ps-scale", "shop"]).contains("web:  1"), "{scheduler}");
        assert_eq!(place.rows(), ["web.1 running"], "{scheduler}");
        place.does(&["ps-set", "shop", setting, ""]);
        place.does(&["ps-scale", "shop", "web=2"]);
        place.does(&["ps-lifecycle", "destroy", "shop"]);
    }
    place.does(&["ps-set", "--global", "memory-max", "9000g"]);
    let limited = place.run(&deploy);
    assert!(limited.status == Some(0) && limited.stderr.contains("web.memory-max is 9000g"), "{limited:?}");
    place.does(&["ps-lifecycle", "destroy", "shop"]);
    place.does(&["ps-set", "--global", "memory-max", ""]);
    fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
    cluster.docker(1, &["swarm", "leave", "--force"]);
    place.run(&deploy).is_refused(1, &["no manager of a swarm: run docker swarm init here"]);
}

#[test]
fn an_environment_that_is_a_secret_stays_one_until_a_deploy_says_otherwise() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::new();
    let place = Place { home: &home, host: format!("unix://{}", cluster.socket(1).display()) };
    let environment = home.write("shop.env", "KEY='hunter2 it is'\nURL=http://u:hunter2@db\n");
    let environment = environment.to_str().expect("text");
    let deploy = [
        "ps-lifecycle",
        "deploy",
        "shop",
        "--image",
        IMAGE,
        "--scheduler",
        "swarm",
        "--env-file",
        environment,
    ];
    let specified = || cluster.docker(1, &["service", "inspect", "shop_web"]);
    home.write("home/shop/ENV", "");
    home.does(&["ps-set", "shop", "start-cmd", "test \"${#KEY}\" = 13 && exec sleep 600"]);
    place.does(&[&deploy[..], &["--env-as-secrets", "--scale", "web=1"]].concat());
    assert_eq!(place.does(&["ps-set", "--get", "shop", "env-as-secrets"]).trim(), "yes");
    let is_secret = || {
        !specified().contains("hunter2") && cluster.docker(1, &["secret", "ls", "-q"]).lines().count() == 1
    };
    assert!(is_secret(), "{}", specified());
    for words in [
        &["ps-scale", "shop", "web=2"][..],
        &["ps-lifecycle", "restart", "shop"],
        &["ps-lifecycle", "rebuild", "shop"],
        &["ps-lifecycle", "stop", "shop"],
        &["ps-lifecycle", "start", "shop"],
        &["ps-lifecycle", "rollback", "shop"],
    ] {
        place.does(words);
        assert!(is_secret(), "{words:?}: {}", specified());
    }
    assert_eq!(place.rows(), ["web.1 running", "web.2 running"]);
    for words in [
        &["ps-lifecycle", "status", "shop", "--json"][..],
        &["ps-lifecycle", "inspect", "shop"],
        &["ps-lifecycle", "events", "shop", "--json"],
        &["ps-report", "shop", "--json"],
    ] {
        assert!(!place.does(words).contains("hunter2"), "{words:?}");
    }
    let refused = place.run(&[
        "ps-lifecycle",
        "deploy",
        "other",
        "--image",
        IMAGE,
        "--scheduler",
        "docker-local",
        "--env-as-secrets",
    ]);
    refused.is_refused(2, &["--env-as-secrets is for apps on a swarm"]);
    place.does(&["ps-lifecycle", "deploy", "shop", "--env-as-secrets=no"]);
    assert!(specified().contains("hunter2") && cluster.docker(1, &["secret", "ls", "-q"]).is_empty());
    place.does(&["ps-lifecycle", "deploy", "shop", "--env-as-secrets"]);
    place.does(&["ps-lifecycle", "destroy", "shop"]);
    assert_eq!(cluster.docker(1, &["secret", "ls", "-q"]), "");
    fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
}

#[test]
fn an_image_runs_the_command_that_a_deploy_names_from_then_on() {
    let Some(cluster) = Cluster::up(1) else { return };
    for scheduler in ["swarm", "docker-local"] {
        let home = Home::new();
        let place = Place::new(&home, &cluster);
        let deploy =
            |more: &[&str]| place.run(&[&deploying(scheduler)[..], &["--listen", "none"], more].concat());
        let command = || place.does(&["ps-set", "--get", "shop", "start-cmd"]).trim().to_owned();
        let runs = |what: &str| {
            let processes = place.does(&["ps-lifecycle", "processes", "shop"]);
            assert!(processes.contains(what), "{scheduler}: {what}: {processes}");
        };
        deploy(&["--command", "exit 3"]).is_refused(1, &["ended with exit status 3"]);
        place.run(&["ps-lifecycle", "status", "shop"]).is_refused(20, &["shop"]);
        deploy(&["--command", " "]).is_refused(1, &["--command"]);
        assert_eq!(deploy(&["--command", "sleep $((600 + 1))"]).status, Some(0), "{scheduler}");
        runs("sleep 601");
        assert_eq!(command(), "sleep $((600 + 1))");
        for words in [["ps-lifecycle", "rebuild", "shop"], ["ps-lifecycle", "restart", "shop"]] {
            place.does(&words);
            runs("sleep 601");
        }
        deploy(&["--command", "exit 4"]).is_refused(1, &["ended with exit status 4"]);
        assert_eq!(command(), "sleep $((600 + 1))", "what failed is not kept");
        let again = deploy(&["--", "sleep", "602"]);
        assert!(again.status == Some(0) && !again.stderr.contains("in place of --command"), "{again:?}");
        runs("sleep 602");
        assert_eq!(command(), "sleep 602");
        place.does(&["ps-lifecycle", "destroy", "shop"]);
        let _ = fs::remove_dir_all(home.path("lib/config/scheduler-swarm"));
    }
}
