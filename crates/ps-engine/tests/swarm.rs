//! Tests the API of a swarm with real engines.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use ps_engine::{Engine, Moment, OutputRange, SwarmFault};
use serde_json::{Value, json};
use swarm_cluster::{Cluster, IMAGE};

/// Only a call that hangs takes longer than this.
const LIMIT: Duration = Duration::from_secs(60);

fn engine(cluster: &Cluster, node: u8) -> Engine {
    Engine::new(cluster.socket(node)).expect("a client")
}

fn spec(name: &str, replicas: u64, command: &[&str]) -> Value {
    json!({
        "Name": name,
        "Labels": {"test.app": "shop", "test.type": name},
        "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE, "Command": command, "StopGracePeriod": 1_000_000_000},
            "RestartPolicy": {"Condition": "any", "Delay": 0},
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
    })
}

fn objects(answer: Result<Value, SwarmFault>) -> Vec<Value> {
    let answer = answer.expect("the manager answers");
    answer.as_array().unwrap_or_else(|| panic!("an array: {answer}")).clone()
}

/// Repeats `see` until its result is as wanted, and returns it.
fn until(what: &str, mut see: impl FnMut() -> Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + LIMIT;
    loop {
        let seen = see();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < end, "{what}: {seen}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_service_is_made_read_changed_followed_and_removed() {
    let Some(cluster) = Cluster::up(2) else { return };
    let engine = engine(&cluster, 1);
    let made =
        engine.run(engine.create_service(&spec("web", 2, &["sh", "-c", "echo hello; exec sleep 600"]), None));
    let id = made.expect("is made")["ID"].as_str().expect("an id").to_owned();
    engine.run(engine.create_service(&spec("idle", 0, &["true"]), None)).expect("is made");

    let running = |service: &str| {
        let filter = [("service", service), ("desired-state", "running")];
        objects(engine.run(engine.swarm_tasks(&filter)))
            .into_iter()
            .filter(|task| task["Status"]["State"] == "running")
            .collect()
    };
    let tasks = until(
        "two run",
        || Value::Array(running("web")),
        |tasks| tasks.as_array().is_some_and(|tasks| tasks.len() == 2),
    );
    assert_eq!(tasks[0]["ServiceID"], id.as_str());
    let slots = engine.run(engine.each_task(&[("service", "web")], |task| task["Slot"].as_u64()));
    let mut slots = slots.expect("a list");
    slots.sort_unstable();
    assert_eq!(slots, [Some(1), Some(2)]);
    let counts =
        engine.run(engine.each_service(&[("name", "web")], true, |service| service["ServiceStatus"].clone()));
    assert_eq!(counts.expect("a list")[0]["RunningTasks"], 2);

    let listed = objects(
        engine.run(engine.swarm_services(&[("label", "test.app=shop"), ("label", "test.type=web")], true)),
    );
    assert_eq!(listed.len(), 1, "labels all have to match");
    assert_eq!(listed[0]["ServiceStatus"]["RunningTasks"], 2);
    assert_eq!(objects(engine.run(engine.swarm_services(&[("label", "test.app=shop")], false))).len(), 2);
    assert_eq!(objects(engine.run(engine.swarm_services(&[("name", "é&=?")], false))).len(), 0);

    let described = engine.run(engine.service("web")).expect("is there");
    let (version, mut changed) =
        (described["Version"]["Index"].as_u64().expect("a number"), described["Spec"].clone());
    changed["Mode"]["Replicated"]["Replicas"] = 1.into();
    engine.run(engine.update_service(&id, version, &changed, None)).expect("is changed");
    let stale =
        engine.run(engine.update_service(&id, version, &changed, None)).expect_err("somebody was first");
    assert!(matches!(stale, SwarmFault::OutOfSequence(_)), "{stale:?}");
    until(
        "one runs",
        || Value::Array(running("web")),
        |tasks| tasks.as_array().is_some_and(|tasks| tasks.len() == 1),
    );

    let taken =
        engine.run(engine.create_service(&spec("web", 1, &["true"]), None)).expect_err("the name is taken");
    assert!(taken.is_conflict(), "{taken:?}");
    let long = engine
        .run(engine.create_service(&spec(&"x".repeat(64), 1, &["true"]), None))
        .expect_err("the name is too long");
    assert!(matches!(&long, SwarmFault::Refused(fault) if fault.reason().contains("63")), "{long:?}");
    for gone in [engine.run(engine.service("none")), engine.run(engine.swarm_tasks(&[("service", "none")]))] {
        let gone = gone.expect_err("there is none");
        assert!(gone.is_gone(), "{gone:?}");
    }
    engine.run(engine.remove_service("web")).expect("is removed");
    engine.run(engine.remove_service("web")).expect("was removed");
    until(
        "it is gone",
        || engine.run(engine.service("web")).map_or(Value::Null, |found| found),
        Value::is_null,
    );
}

#[test]
fn what_a_task_wrote_is_read_from_whichever_node_it_is_on() {
    let Some(cluster) = Cluster::up(2) else { return };
    let engine = engine(&cluster, 1);
    let nodes = objects(engine.run(engine.nodes()));
    assert_eq!(nodes.len(), 2);
    let mut there = spec("there", 1, &["sh", "-c", "echo one; echo two >&2; sleep 1.1; echo three"]);
    there["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.hostname == node2"]});
    there["TaskTemplate"]["RestartPolicy"] = json!({"Condition": "none"});
    engine.run(engine.create_service(&there, None)).expect("is made");
    let tasks = || engine.run(engine.swarm_tasks(&[("service", "there")])).expect("a list");
    let ended = until("it ends", tasks, |tasks| tasks[0]["Status"]["State"] == "complete");
    let id = ended[0]["ID"].as_str().expect("an id");

    let read = |range: OutputRange| -> Vec<(Option<Moment>, String)> {
        let pieces = engine.run(engine.task_logs(id, &range, false, None).try_collect::<Vec<_>>());
        let pieces = pieces.expect("is read").into_iter();
        pieces.map(|(moment, piece)| (moment, piece.to_string())).collect()
    };
    let mut all = read(OutputRange::default());
    all.sort();
    let mut words: Vec<&str> = all.iter().map(|(_, text)| text.trim()).collect();
    assert_eq!(words.pop(), Some("three"));
    words.sort_unstable();
    assert_eq!(words, ["one", "two"]);
    assert!(all.iter().all(|(moment, _)| moment.is_some()), "{all:?}");

    let followed = engine.task_logs(id, &OutputRange::default(), true, all[0].0.clone());
    let followed = followed.map_ok(|(_, piece)| piece.to_string()).take(2).try_collect::<Vec<_>>();
    let followed = engine.run(async { tokio::time::timeout(LIMIT, followed).await });
    let followed = followed.expect("two pieces came later than the first one").expect("is read");
    assert_eq!(followed.last().map(|text| text.trim()), Some("three"));
    let last = all[2].0.as_ref().and_then(Moment::time).expect("a time");
    let range = OutputRange {
        until: Some(last.checked_sub(Duration::from_millis(500)).expect("later than 1970")),
        ..OutputRange::default()
    };
    assert_eq!(read(range).len(), 2, "what came after the end of the range is left out");
    assert_eq!(read(OutputRange::last(Some(1))).len(), 1);
}

#[test]
fn secrets_configs_and_overlays_are_made_found_and_removed_but_not_while_they_are_used() {
    let Some(cluster) = Cluster::up(1) else { return };
    let engine = engine(&cluster, 1);
    let labelled = |name: &str| json!({"Name": name, "Labels": {"test.app": "shop"}, "Data": "aGVsbG8="});
    let filter = [("label", "test.app=shop")];
    let secret = engine.run(engine.create_secret(&labelled("shop-env"))).expect("is made");
    let secret = secret["ID"].as_str().expect("an id").to_owned();
    assert!(
        engine.run(engine.create_secret(&labelled("shop-env"))).expect_err("the name is taken").is_conflict()
    );
    assert_eq!(objects(engine.run(engine.secrets(&filter)))[0]["ID"], secret.as_str());
    engine.run(engine.create_config(&labelled("shop-conf"))).expect("is made");
    assert_eq!(objects(engine.run(engine.configs(&filter))).len(), 1);
    engine
        .run(engine.create_overlay(&json!({"Name": "shop-net", "Labels": {"test.app": "shop"}})))
        .expect("is made");
    let overlays =
        || engine.run(engine.networks(&[("label", "test.app=shop"), ("scope", "swarm")])).expect("a list");
    until("the manager has seen to it", overlays, |listed| listed[0]["Driver"] == "overlay");

    let mut user = spec("user", 1, &["sleep", "600"]);
    user["TaskTemplate"]["ContainerSpec"]["Secrets"] = json!([{"SecretID": secret, "SecretName": "shop-env", "File": {"Name": "env", "UID": "0", "GID": "0", "Mode": 256}}]);
    user["TaskTemplate"]["Networks"] = json!([{"Target": "shop-net"}]);
    engine.run(engine.create_service(&user, None)).expect("is made");
    let used = engine.run(engine.remove_secret("shop-env")).expect_err("it is used");
    assert!(matches!(used, SwarmFault::Refused(_)), "{used:?}");
    engine.run(engine.remove_service("user")).expect("is removed");
    for _ in 0..2 {
        engine.run(engine.remove_secret("shop-env")).expect("is removed, or was");
        engine.run(engine.remove_config("shop-conf")).expect("is removed, or was");
    }
    let removed =
        || json!(engine.run(engine.remove_overlay("shop-net")).map_err(|fault| fault.to_string()).err());
    until("the network is removed when its tasks are", removed, Value::is_null);
    until("a node lists the network until its tasks have ended", overlays, |listed| *listed == json!([]));
}

#[test]
fn a_worker_and_an_engine_in_no_swarm_say_so() {
    let Some(cluster) = Cluster::up(2) else { return };
    let worker = engine(&cluster, 2);
    let info = worker.run(worker.swarm_info()).expect("every engine answers this");
    assert_eq!((&info["LocalNodeState"], &info["ControlAvailable"]), (&json!("active"), &json!(false)));
    let read = worker.run(worker.swarm_services(&[], false)).expect_err("a worker");
    let write = worker.run(worker.create_service(&spec("web", 1, &["true"]), None)).expect_err("a worker");
    cluster.docker(2, &["swarm", "leave"]);
    let none = worker.run(worker.nodes()).expect_err("no swarm");
    for fault in [read, write, none] {
        assert!(matches!(fault, SwarmFault::NotManager(_)), "{fault:?}");
    }
    assert_eq!(worker.run(worker.swarm_info()).expect("answers")["LocalNodeState"], "inactive");
}

/// Two of three managers lose their power. For about half a minute the third one holds requests, and then it answers with the reason.
#[test]
fn without_a_quorum_every_call_comes_back_and_nothing_is_taken_for_done() {
    let Some(cluster) = Cluster::up_to_lose_nodes(3) else { return };
    let engine = engine(&cluster, 1);
    engine.run(engine.create_service(&spec("web", 1, &["sleep", "600"]), None)).expect("is made");
    let version = engine.run(engine.service("web")).expect("is there");
    let (index, unchanged) =
        (version["Version"]["Index"].as_u64().expect("a number"), version["Spec"].clone());
    cluster.lose(2);
    cluster.lose(3);
    let end = Instant::now() + LIMIT * 2;
    let alone = loop {
        let begin = Instant::now();
        // The leader may not have noticed yet that the other managers are gone.
        let Err(fault) = engine.run(engine.update_service("web", index, &unchanged, None)) else { continue };
        assert!(begin.elapsed() < Duration::from_secs(14), "{:?}: {fault}", begin.elapsed());
        match fault {
            SwarmFault::NoQuorum(_) => break fault,
            SwarmFault::Unknown(_) | SwarmFault::OutOfSequence(_) => {}
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < end, "it never says that it is alone");
    };
    assert!(alone.to_string().contains("force-new-cluster"), "{alone}");
    let read = engine.run(engine.swarm_services(&[], true)).expect_err("no leader");
    assert!(matches!(read, SwarmFault::NoQuorum(_)), "{read:?}");
    let info = engine.run(engine.swarm_info()).expect("answers of itself");
    assert!(info["Error"].as_str().is_some_and(|error| error.contains("does not have a leader")), "{info}");
}
