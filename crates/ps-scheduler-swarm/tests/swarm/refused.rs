//! What cannot come up is refused before anything changes, or ends as soon as the engine is sure of it.

use std::net::TcpListener;

use formation::Which;
use ps_scheduler::{DeployOutcome, Error, Intent, Progress, Release, Source};
use swarm_cluster::{Cluster, IMAGE};

use crate::losses::eventually;
use crate::place::Place;

const COMMAND: &str = "exec sleep 1000";

/// A release whose `web` has this fixed port of its nodes.
fn at(place: &Place, port: u16) -> Release {
    let mut release = place.release(COMMAND);
    let settings = &mut release.processes[0].settings;
    settings.publish = Some("host".parse().expect("a way to publish"));
    settings.port = Some(port.to_string().parse().expect("a port"));
    release
}

fn deployed(place: &Place, release: Release) -> (Result<DeployOutcome, Error>, Vec<Progress>) {
    place.carry_out(&place.plan(release, &["web=1"], &Intent::Deploy))
}

fn has_ended(told: &[Progress]) -> bool {
    told.iter().any(|progress| matches!(progress, Progress::Ended(..)))
}

#[test]
fn an_image_without_a_shell_is_refused_before_anything_changes_and_runs_where_nothing_is_checked() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy(COMMAND, &["web=1"]).0.expect("it comes up");
    let before = place.containers();
    let image = "formation-test/no-shell:1";
    let copy = "COPY --from=tools /bin/busybox /bin/sleep\nENTRYPOINT [\"/bin/sleep\", \"1000\"]";
    cluster.image(image, &format!("FROM {IMAGE} AS tools\nFROM scratch\n{copy}\n"));
    let mut release = place.release(COMMAND);
    release.source = Source::Image(image.to_owned());
    release.processes[0].command = None;
    let (refused, told) = deployed(&place, release.clone());
    let said = refused.expect_err("nothing could make its checks").to_string();
    for words in ["has no /bin/sh", image, "checks skipped"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!((told.len(), place.containers()), (0, before.clone()), "{told:?}");
    assert_eq!(
        cluster.docker(1, &["ps", "--all", "--quiet"]).lines().count(),
        before.len(),
        "nothing is left"
    );
    release.processes[0].settings.checks = Some("skipped".parse().expect("a word"));
    deployed(&place, release).0.expect("nobody needs its shell");
    place.stop("", true).expect("is removed");
}

#[test]
fn a_port_that_another_service_has_is_refused_and_one_that_a_node_has_itself_is_told_with_its_node() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    deployed(&place, at(&place, 8080)).0.expect("it comes up");
    let before = place.containers();
    let publish = "mode=host,published=9090,target=1";
    cluster
        .docker(1, &["service", "create", "--name", "other", "--publish", publish, IMAGE, "sleep", "1000"]);
    let (refused, told) = deployed(&place, at(&place, 9090));
    let said = refused.expect_err("no node has it").to_string();
    for words in ["port 9090 of 1 of the 1 nodes", "that of the service other", "ps-set shop web.port"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!has_ended(&told) && place.containers() == before, "{told:?}");
    cluster.docker(1, &["service", "scale", "--detach", "other=0"]);
    let listed =
        || cluster.docker(1, &["service", "ps", "--quiet", "--filter", "desired-state=running", "other"]);
    eventually("nothing of it is to run", listed, String::is_empty);
    deployed(&place, at(&place, 9090)).0.expect("the port is free");

    let _there = cluster.at(1, || TcpListener::bind("0.0.0.0:9091").expect("it is free"));
    let said = deployed(&place, at(&place, 9091)).0.expect_err("no node has it").to_string();
    for words in
        ["web.1 of shop could not be started on node1: ", "address already in use; something else has"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("exit status") && !said.contains("wrote nothing"), "it never ran: {said}");
    cluster.docker(1, &["service", "rm", "other"]);
    place.stop("", true).expect("is removed");
}

#[test]
fn with_another_count_a_swarm_would_go_on_with_an_update_that_it_has_given_up_so_that_is_refused() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let image = "formation-test/gone:1";
    cluster.docker(1, &["tag", IMAGE, image]);
    let mut release = place.release(COMMAND);
    release.source = Source::Image(image.to_owned());
    place.carry_out(&place.plan(release, &["web=2"], &Intent::Deploy)).0.expect("it comes up");
    // The same specification once more, which nobody can start: it is not one that somebody has changed.
    cluster.docker(1, &["image", "rm", image]);
    let update =
        "service update --detach --force --update-order start-first --update-failure-action pause shop_web";
    cluster.docker(1, &update.split(' ').collect::<Vec<_>>());
    let state =
        || cluster.docker(1, &["service", "inspect", "--format", "{{.UpdateStatus.State}}", "shop_web"]);
    eventually("it is given up", state, |state| state.trim() == "paused");
    let before = place.containers();
    for count in ["web=1", "web=3"] {
        let plan = place.plan(place.release(COMMAND), &[count], &Intent::Converge(Which::All));
        let said = place.carry_out(&plan).0.expect_err("the update would go on").to_string();
        assert!(said.contains("given up half-way") && said.contains("deploy shop"), "{count}: {said}");
    }
    assert_eq!((state().trim(), place.containers()), ("paused", before), "what runs, runs on");
    place.deploy(COMMAND, &["web=2"]).0.expect("a deploy mends it");
    assert_eq!(place.rows(), ["web.1 running", "web.2 running"]);
    place.stop("", true).expect("is removed");
}
