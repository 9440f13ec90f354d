//! Whoever deploys to a swarm may die at any call; the same verb again makes it right, and leaves nothing that nobody wanted.

use std::path::Path;
use std::process::{Command, Stdio};

use ps_scheduler::{Effect, Intent, Running, Task};
use serde_json::Value;
use swarm_cluster::Cluster;

use crate::place::Place;

/// What the deploy that is killed is told: where its world is, and where its engine listens.
const WORLD: &str = "SWARM_WORLD";
const ENGINE: &str = "SWARM_ENGINE";

const SERVER: &str = "exec sleep 1000";

/// A deploy with a task before it, and with its environment as a secret, so that every kind of call occurs.
fn deploy(place: &Place) -> Result<(), String> {
    let mut release = place.release(SERVER);
    let switch = "yes".parse().ok();
    (release.processes[0].settings.env_as_secrets, release.others.env_as_secrets) = (switch, switch);
    let mut plan = place.plan(release, &["web=2"], &Intent::Deploy);
    plan.tasks = vec![Task::new("release", "echo migrated", Effect::NothingChanges)];
    place.carry_out(&plan).0.map(drop).map_err(|error| error.to_string())
}

/// The caller that dies: a process of its own, which is this program with another test. Where nobody tells it what to deploy it has
/// nothing to do.
#[test]
fn a_deploy_that_another_test_kills() {
    let (Some(world), Some(engine)) = (std::env::var_os(WORLD), std::env::var_os(ENGINE)) else { return };
    deploy(&Place::of_another(Path::new(&world), Path::new(&engine))).expect("deploys");
}

fn dies_at(place: &Place, engine: &Path, fatal: usize) -> bool {
    let socket = place.dir().join(format!("{fatal}.sock"));
    let mut caller = Command::new(std::env::current_exe().expect("a test has a path"));
    caller.args(["--exact", "deaths::a_deploy_that_another_test_kills"]);
    caller.env(WORLD, place.dir()).env(ENGINE, &socket).stdout(Stdio::null()).stderr(Stdio::null());
    engine_proxy::dies_at(engine, &socket, fatal, &mut caller)
}

/// The names of everything that a swarm keeps for somebody.
fn kept(place: &Place) -> Vec<String> {
    let engine = &place.engine;
    let lists = [
        engine.run(engine.swarm_services(&[], false)),
        engine.run(engine.secrets(&[])),
        engine.run(engine.configs(&[])),
    ];
    let names = lists.into_iter().flat_map(|list| {
        let list = list.expect("the manager answers");
        list.as_array().expect("a list").iter().map(|one| one["Spec"]["Name"].clone()).collect::<Vec<Value>>()
    });
    names.map(|name| name.as_str().expect("each has a name").to_owned()).collect()
}

#[test]
fn a_deploy_that_dies_at_any_call_is_made_right_by_the_same_deploy_again() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    deploy(&place).expect("deploys");
    let wanted = kept(&place);
    assert_eq!(wanted.len(), 2, "a service and a secret: {wanted:?}");
    let mut fatal = 1;
    // One more than there are calls, so that the last deploy is one that was not killed.
    while dies_at(&place, &cluster.socket(1), fatal) {
        assert_eq!(place.status().running(), Running::True, "call {fatal}: what was there does not run");
        deploy(&place).unwrap_or_else(|error| panic!("call {fatal}: {error}"));
        assert_eq!(place.status().running(), Running::True, "call {fatal}");
        assert_eq!(place.rows(), ["web.1 running", "web.2 running"], "call {fatal}");
        assert_eq!(place.alive().len(), 2, "call {fatal}: containers that nobody wanted");
        assert_eq!(kept(&place), wanted, "call {fatal}: something is left");
        let readers = place.engine.run(place.engine.list(&["com.formation.reader".to_owned()]));
        assert!(readers.expect("a list").is_empty(), "call {fatal}: a container that never starts is left");
        fatal += 1;
        assert!(fatal < 100, "a deploy takes more than 100 calls");
    }
    assert!(fatal > 3, "a deploy changes a swarm more than {fatal} times");
    place.stop("", true).expect("is removed");
    assert_eq!(kept(&place), [""; 0]);
}
