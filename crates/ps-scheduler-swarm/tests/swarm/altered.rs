//! What somebody else changes of a service is seen, named by its part, and put back by who converges.

use formation::Which;
use ps_scheduler::{Change, Intent, Plan, Progress};
use serde_json::json;
use swarm_cluster::{Cluster, IMAGE};

use crate::losses::eventually;
use crate::place::Place;

const COMMAND: &str = "exec sleep 1000";

fn converge(place: &Place) -> Plan {
    place.plan(place.release(COMMAND), &["web=2"], &Intent::Converge(Which::All))
}

/// What a status says of changes by others.
fn told(place: &Place) -> Vec<String> {
    let troubles = place.status().troubles;
    troubles.into_iter().filter(|trouble| trouble.contains("somebody has changed it")).collect()
}

#[test]
fn what_somebody_changes_of_a_service_is_told_and_put_back_by_who_converges() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy(COMMAND, &["web=2"]).0.expect("it comes up");
    assert_eq!(told(&place), [""; 0], "nobody has changed it");
    assert!(converge(&place).is_noop());
    let other = "formation-test/other:1";
    cluster.docker(1, &["tag", IMAGE, other]);
    for (words, part) in [
        (&["--image", other][..], "image"),
        (&["--env-add", "BY_HAND=1"], "environment"),
        (&["--label-add", "by=hand"], "labels"),
        (&["--container-label-add", "by=hand"], "labels"),
        (&["--limit-memory", "64m"], "limits"),
        (&["--constraint-add", "node.role==manager"], "constraints"),
        (&["--args", "sleep 2000"], "command"),
        (&["--user", "65534"], "user"),
        (&["--mount-add", "type=volume,source=by-hand,target=/x"], "mounts"),
    ] {
        cluster.docker(1, &[&["service", "update", "--quiet"], words, &["shop_web"]].concat());
        let said = told(&place);
        let expected = format!(
            "shop: the service of web is not what was deployed: somebody has changed it ({part}): ps-lifecycle converge shop puts it back"
        );
        assert_eq!(said, [expected], "{words:?}");
        let plan = converge(&place);
        assert_eq!(plan.slots(Change::Replace).count(), 2, "{words:?}");
        place.carry_out(&plan).0.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        assert_eq!(told(&place), [""; 0], "{words:?}");
        assert_eq!(place.rows(), ["web.1 running", "web.2 running"], "{words:?}");
    }
    let engine = &place.engine;
    let service = engine.run(engine.service("shop_web")).expect("it is there");
    let container = &service["Spec"]["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Image"], json!(IMAGE));
    assert!(!container.to_string().contains("BY_HAND"), "{container}");
    place.stop("", true).expect("is removed");
}

#[test]
fn another_count_is_told_and_taken_back_and_touches_nothing_else_and_a_deploy_says_what_it_puts_back() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy(COMMAND, &["web=2"]).0.expect("it comes up");
    let before = place.containers();
    cluster.docker(1, &["service", "scale", "--detach", "shop_web=3"]);
    eventually("it has three", || place.containers().len(), |count| *count == 3);
    let [said] = told(&place).try_into().expect("one");
    assert!(said.contains("(count: 3 in place of 2)"), "{said}");
    place.carry_out(&converge(&place)).0.expect("is scaled");
    assert_eq!((told(&place), place.containers().len()), (Vec::new(), 2));
    let kept = place.containers().into_iter().filter(|id| before.contains(id)).count();
    assert!(kept >= 1, "a swarm chooses which of them end, and none is replaced");

    place.stop("web", false).expect("stops");
    assert_eq!(told(&place), [""; 0], "whoever stops it with our verb is not somebody else");
    let start = place.plan(place.release(COMMAND), &["web=2"], &Intent::Start(Which::All));
    place.carry_out(&start).0.expect("starts");
    assert_eq!(told(&place), [""; 0]);

    cluster.docker(1, &["service", "update", "--quiet", "--env-add", "BY_HAND=1", "shop_web"]);
    let (deployed, notes) = place.deploy(COMMAND, &["web=2"]);
    deployed.expect("it comes up");
    let is_it =
        |progress: &Progress| matches!(progress, Progress::Note(note) if note.contains("(environment)"));
    assert!(notes.iter().any(is_it), "{notes:?}");
    assert_eq!(told(&place), [""; 0]);
    place.stop("", true).expect("is removed");
}

#[test]
fn a_change_by_hand_that_the_swarm_has_given_up_half_way_is_put_back_by_who_converges() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy(COMMAND, &["web=2"]).0.expect("it comes up");
    let update = "service update --detach --update-order start-first --update-failure-action pause";
    let image = ["--image", "formation-test/no-such-image:1", "shop_web"];
    cluster.docker(1, &[&update.split(' ').collect::<Vec<_>>()[..], &image].concat());
    let state =
        || cluster.docker(1, &["service", "inspect", "--format", "{{.UpdateStatus.State}}", "shop_web"]);
    eventually("it is given up", state, |state| state.trim() == "paused");
    let troubles = place.status().troubles;
    for words in ["given up half-way", "somebody has changed it (image)"] {
        assert!(troubles.iter().any(|trouble| trouble.contains(words)), "{words}: {troubles:?}");
    }
    place.carry_out(&converge(&place)).0.expect("is put back");
    assert_eq!(told(&place), [""; 0]);
    // A task that was never started may take a moment to be gone.
    let rows = || place.rows();
    eventually("it is as it was", rows, |rows| rows.as_slice() == ["web.1 running", "web.2 running"]);
    let troubles = || place.status().troubles;
    eventually("nothing is wrong", troubles, Vec::is_empty);
    place.stop("", true).expect("is removed");
}

/// The services of the swarm, in the order of their names.
fn services(cluster: &Cluster) -> Vec<String> {
    let list = cluster.docker(1, &["service", "ls", "--format", "{{.Name}}"]);
    let mut names: Vec<String> = list.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_service_that_has_lost_the_labels_by_which_it_is_found_never_gets_another_one_beside_it() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    place.deploy(COMMAND, &["web=2"]).0.expect("it comes up");
    let remove = |label: &str| {
        cluster.docker(1, &["service", "update", "--quiet", "--label-rm", label, "shop_web"]);
    };
    let put_back = "(labels): ps-lifecycle converge shop puts it back";
    remove("com.formation.world");
    let [said] = told(&place).try_into().expect("one");
    assert!(said.ends_with(put_back), "{said}");
    assert_eq!(place.rows(), ["web.1 running", "web.2 running"]);
    place.deploy("exec sleep 1001", &["web=2"]).0.expect("it comes up");
    assert_eq!((services(&cluster), told(&place)), (vec!["shop_web".to_owned()], Vec::new()));
    remove("com.formation.world");
    place.carry_out(&converge(&place)).0.expect("is put back");
    assert_eq!((services(&cluster), told(&place)), (vec!["shop_web".to_owned()], Vec::new()));

    remove("com.dokku.app-name");
    let before = place.alive();
    let refused = place.deploy(COMMAND, &["web=2"]).0.expect_err("there would be two").to_string();
    let command = "docker service update --label-add com.dokku.app-name=shop shop_web";
    assert!(refused.contains(command), "{refused}");
    assert_eq!((services(&cluster), place.alive()), (vec!["shop_web".to_owned()], before));
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    cluster.docker(1, &words);
    place.deploy(COMMAND, &["web=2"]).0.expect("it comes up");
    remove("com.formation.world");
    place.stop("", true).expect("is removed");
    assert_eq!(services(&cluster), [""; 0]);
}
