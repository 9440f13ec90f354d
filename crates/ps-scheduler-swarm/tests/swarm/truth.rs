//! A deploy is followed to its end, and what is said of it is true.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use formation::Which;
use ps_scheduler::{Error, Intent, Progress, Running, Scheduler, Source};
use swarm_cluster::{Cluster, IMAGE};

use crate::losses;
use crate::place::Place;

fn failed(error: Error) -> (Vec<String>, Vec<String>) {
    let Error::DeployFailed { failed, aftermath, .. } = error else { panic!("another failure: {error}") };
    (failed.into_iter().map(|failed| format!("{} {}", failed.slot, failed.reason)).collect(), aftermath)
}

#[test]
fn an_app_is_deployed_scaled_stopped_started_and_removed() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let script = "echo \"it is $DYNO: $SECRET\"; exec sleep 1000";
    let (deployed, told) = place.deploy(script, &["web=2"]);
    assert_eq!(deployed.expect("it comes up").started.len(), 2);
    let ready = told.iter().filter(|progress| matches!(progress, Progress::Ready(_))).count();
    assert_eq!(ready, 2, "{told:?}");
    assert_eq!(place.rows(), ["web.1 running", "web.2 running"]);
    let one = &place.status().instances[0];
    assert_eq!((one.node.is_some(), one.task.is_some(), one.release), (true, true, Some(1)));
    // A value is what it is, whatever a swarm takes for a template.
    let expected =
        ["web.1", "web.2"].map(|slot| format!("{slot} it is {slot}: {{{{.Node.Hostname}}}} {{{{ $x"));
    assert_eq!(place.log(Which::All), expected);
    assert_eq!(place.log("web.2".parse().expect("an instance")), expected[1..]);

    let before = place.containers();
    let scale = |count: &str| {
        let plan = place.plan(place.release(script), &[count], &Intent::Converge(Which::All));
        place.carry_out(&plan).0.expect("is scaled")
    };
    scale("web=3");
    assert_eq!(place.containers()[..2], before[..], "scaling up touched what ran");
    scale("web=1");
    assert_eq!(place.status().instances.len(), 1);

    let stopped = place.stop("web", false).expect("stops");
    assert_eq!((stopped.ended.len(), stopped.remaining.len()), (1, 0));
    assert_eq!((place.rows(), place.status().running()), (vec!["web.1 stopped".to_owned()], Running::False));
    let start = place.plan(place.release(script), &["web=1"], &Intent::Start(Which::All));
    place.carry_out(&start).0.expect("starts");
    assert_eq!(place.rows(), ["web.1 running"]);
    place.stop("", true).expect("is removed");
    assert!(place.rows().is_empty() && place.alive().is_empty());
    assert_eq!(cluster.docker(1, &["service", "ls", "-q"]), "");
}

#[test]
fn a_bad_release_is_put_back_and_one_line_says_why_with_the_last_that_it_wrote() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy("sleep 1000", &["web=2"]).0.expect("it comes up");
    let before = place.containers();
    let (crashed, _) = place.deploy("echo no database; exit 3", &["web=2"]);
    let (told, aftermath) = failed(crashed.expect_err("it ends at once"));
    assert!(
        told[0].starts_with("web.") && told[0].contains("exit status 3; the last it wrote:\n    no database"),
        "{told:?}"
    );
    assert_eq!((place.containers(), aftermath), (before.clone(), vec![]), "what ran before runs on");

    let mut missing = place.release("sleep 1000");
    missing.source = ps_scheduler::Source::Image("formation-test/no-such-image:1".to_owned());
    let plan = place.plan(missing, &["web=2"], &Intent::Deploy);
    let judged = place.swarm.judge(&plan).expect_err("a dry run says it, too").to_string();
    let told = place.carry_out(&plan).0.expect_err("there is no such image").to_string();
    for told in [judged, told] {
        assert!(
            told.contains(
                "this machine does not have the image formation-test/no-such-image:1, and no registry"
            ),
            "{told}"
        );
    }
    assert_eq!(place.containers(), before);

    let reserving = |bytes: u64, count: &str| {
        let mut large = place.release("sleep 1000");
        let option = format!("memory-reservation={bytes}b");
        large.processes[0].settings.engine_options = Some(option.parse().expect("an option"));
        let mut plan = place.plan(large, &[count], &Intent::Deploy);
        for rules in plan.rules.values_mut() {
            rules.deadline = std::time::Duration::from_secs(1);
        }
        place.carry_out(&plan).0.expect_err("there is no room")
    };
    let all: u64 = cluster.docker(1, &["info", "--format", "{{.MemTotal}}"]).trim().parse().expect("bytes");
    let told = reserving(2 * all, "web=2").to_string();
    assert!(told.contains("no node that may run web has more than"), "{told}");
    assert_eq!(place.containers(), before, "that is known before anything changes");

    let half = all / 2 + 1;
    let reserved = format!("{half}b");
    cluster.docker(
        1,
        &["service", "create", "--name", "other", "--reserve-memory", &reserved, IMAGE, "sleep", "1000"],
    );
    let waiting = reserving(half, "web=1");
    let (told, _) = failed(waiting);
    assert!(
        told[0].contains("found no place within") && told[0].contains("insufficient resources"),
        "{told:?}"
    );
    assert_eq!(place.containers(), before);
    cluster.docker(1, &["service", "rm", "other"]);
    place.stop("", true).expect("is removed");
}

#[test]
fn of_an_image_that_is_not_here_its_registry_is_asked_before_anything_changes() {
    let Some(program) = skipped::server("usr/bin/docker-registry") else { return };
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let registry = Registry::on(&cluster, &program);
    let image = "127.0.0.1:5000/shop:1";
    cluster.docker(1, &["tag", crate::place::IMAGE, image]);
    losses::eventually("the registry takes it", || registry.takes(&cluster, image), |taken| *taken);
    cluster.docker(1, &["image", "rm", image]);
    let deploy = |image: &str| {
        let mut release = place.release("sleep 1000");
        release.source = ps_scheduler::Source::Image(image.to_owned());
        place.carry_out(&place.plan(release, &["web=1"], &Intent::Deploy)).0
    };
    // The nodes of a test cluster pull nothing: what was not refused is rejected by the node.
    let (told, _) = failed(deploy(image).expect_err("the node does not have it"));
    assert!(told[0].contains("was rejected: No such image"), "{told:?}");
    let error = deploy("127.0.0.1:5000/shop:2").expect_err("the registry does not have it").to_string();
    assert!(error.contains("no registry hands it out") && error.contains("manifest unknown"), "{error}");
    place.stop("", true).expect("is removed");
}

/// A registry on the loopback of the first node; ended when it is dropped.
struct Registry(Child, tempfile::TempDir);

impl Registry {
    fn on(cluster: &Cluster, program: &Path) -> Self {
        let place = tempfile::tempdir().expect("a directory for the test");
        let config = place.path().join("config.yml");
        let storage = place.path().join("storage");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:5000\"}}\n",
            storage.display()
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(program);
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(cluster.at(1, || command.spawn().expect("it starts")), place)
    }

    /// Whether it takes an image: it may not listen yet.
    fn takes(&self, cluster: &Cluster, image: &str) -> bool {
        let host = format!("unix://{}", cluster.socket(1).display());
        let mut push = Command::new("docker");
        push.args(["push", "-q", image]).env("DOCKER_HOST", host).stdout(Stdio::null()).stderr(Stdio::null());
        push.status().expect("the client runs").success() && self.1.path().join("storage").is_dir()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_worlds_with_an_app_of_the_same_name_never_touch_each_others() {
    let Some(cluster) = Cluster::up(1) else { return };
    let (one, other) = (Place::new(&cluster), Place::new(&cluster));
    one.deploy("sleep 1000", &["web=1"]).0.expect("it comes up");
    other.deploy("sleep 1000", &["web=2"]).0.expect("it comes up beside the other one");
    assert_eq!((one.rows().len(), other.rows().len()), (1, 2));
    let kept = one.containers();
    other.stop("", true).expect("is removed");
    assert_eq!((one.containers(), other.rows().len()), (kept, 0));
    one.stop("", true).expect("is removed");
}

#[test]
fn processes_are_those_of_the_node_that_is_asked_and_of_any_other_instance_its_node_is_named() {
    let Some(cluster) = Cluster::up(2) else { return };
    let place = Place::new(&cluster);
    place.deploy("sleep 1000", &["web=2"]).0.expect("one comes up on each node");
    let (here, elsewhere) = place.swarm.processes(&place.app).expect("is listed");
    let rows = place.status().instances;
    let on = |name: &str| {
        let row =
            rows.iter().find(|row| row.node.as_deref() == Some(name)).expect("an instance on each node");
        row.slot.clone()
    };
    assert!(here.iter().any(|process| process.command.contains("sleep 1000")), "{here:?}");
    assert!(here.iter().all(|process| process.slot == on("node1")), "{here:?}");
    let [sentence] = elsewhere.as_slice() else { panic!("{elsewhere:?}") };
    let container =
        sentence.strip_prefix(&format!("{} of shop runs on node2; there: docker top ", on("node2")));
    let typed = cluster.docker(2, &["top", container.expect("what to type")]);
    assert!(typed.contains("sleep 1000"), "{typed}");
    place.stop("", true).expect("is removed");
}

/// On a busy machine an engine takes seconds to run anything in a container. Here each shell does.
#[test]
fn what_is_slow_to_answer_its_healthcheck_is_not_taken_for_sick() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let slow = "formation-test/slow-shell:1";
    let shell = r#"printf '#!/bin/busybox sh\nbusybox sleep 4\nexec busybox sh "$@"\n' >/bin/slow"#;
    let dockerfile = format!("FROM {IMAGE}\nRUN {shell} && chmod 755 /bin/slow && ln -sf slow /bin/sh\n");
    cluster.image(slow, &dockerfile);
    let mut release = place.release("exec sleep 1000");
    release.source = Source::Image(slow.to_owned());
    let (deployed, told) = place.carry_out(&place.plan(release, &["web=1"], &Intent::Deploy));
    assert!(deployed.is_ok(), "{deployed:?}\n{told:?}");
    place.stop("", true).expect("is removed");
}
