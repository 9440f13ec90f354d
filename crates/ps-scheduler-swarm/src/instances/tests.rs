use serde_json::json;

use super::*;
use crate::label;
use crate::service::tests::described;
use crate::swarm_task::tests::listed;

fn nodes() -> Nodes {
    Nodes::read(&json!([
        {"ID": "n1", "Description": {"Hostname": "one"}, "Status": {"State": "ready", "Addr": "10.0.0.1"}},
        {"ID": "n2", "Description": {"Hostname": "two"}, "Status": {"State": "down", "Addr": "10.0.0.2"}},
        {"ID": "n3", "Description": {"Hostname": "three"}, "Status": {"State": "unknown", "Addr": "10.0.0.3"}},
    ]))
}

fn status(service: &Value, tasks: &[Value]) -> AppStatus {
    let services = Service::read_all(&json!([service]));
    let tasks = SwarmTask::read_all(&json!(tasks));
    let mut status = AppStatus::of("shop".parse().expect("a name"), Vec::new());
    of_app(&mut status, &services.iter().collect::<Vec<_>>(), &tasks.iter().collect::<Vec<_>>(), &nodes());
    status
}

fn rows(service: &Value, tasks: &[Value]) -> Vec<String> {
    let row = |row: &Instance| {
        let role = row.role.map_or("", Role::as_str);
        let over = row.over.map(|over| format!(" {over:?}")).unwrap_or_default();
        format!("{} {} {role}{over}", row.slot, row.state.as_str())
    };
    status(service, tasks).instances.iter().map(row).collect()
}

#[test]
fn each_instance_says_where_it_runs_and_which_task_it_is() {
    let mut up = listed("web", 2, "running", "running", "r");
    up["Status"]["PortStatus"] = json!({"Ports": [{"PublishedPort": 30001}, {"PublishedPort": 30001}]});
    up["Status"]["ContainerStatus"] = json!({"ContainerID": "c"});
    let status = status(&described("web", 1, "r"), &[up]);
    let one = &status.instances[0];
    assert_eq!((one.node.as_deref(), one.address.as_deref()), (Some("one"), Some("10.0.0.1:30001")));
    assert_eq!((one.task.as_deref(), one.container_id.as_deref()), (Some("web-2-r-running"), Some("c")));
    assert!(one.is_interchangeable);
}

#[test]
fn what_a_lost_node_is_said_to_run_does_not_count_and_the_node_is_named() {
    let mut lost = listed("web", 1, "running", "shutdown", "r");
    lost["NodeID"] = json!("n2");
    let mut successor = listed("web", 1, "running", "running", "r");
    successor["ID"] = json!("successor");
    let service = described("web", 1, "r");
    assert_eq!(rows(&service, &[lost.clone(), successor.clone()]), ["web.1 running current"]);
    let told = status(&service, &[lost, successor]).troubles;
    assert!(told.len() == 1 && told[0].contains("the node two is down"), "{told:?}");
}

#[test]
fn a_node_of_which_nothing_was_heard_since_an_election_is_not_called_down() {
    let mut there = listed("web", 1, "running", "running", "r");
    there["NodeID"] = json!("n3");
    let told = status(&described("web", 1, "r"), &[there]).troubles;
    assert!(told.len() == 1 && told[0].contains("nothing has been heard yet of the node three"), "{told:?}");
}

#[test]
fn what_somebody_else_has_changed_is_a_trouble_and_its_rows_are_to_be_replaced() {
    let mut service = described("web", 1, "r");
    service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = json!("shop:1");
    crate::made::stamp(&mut service["Spec"]);
    let task = listed("web", 1, "running", "running", "r");
    let of = |service: &Value| {
        let status = status(service, std::slice::from_ref(&task));
        (status.instances[0].is_altered, status.troubles)
    };
    assert_eq!(of(&service), (false, Vec::new()));
    service["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(0);
    assert!(matches!(of(&service), (false, told) if told[0].contains("(count: 0 in place of 1)")));
    service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = json!("shop:2");
    assert!(matches!(of(&service), (true, told) if told[0].contains("(image, count: 0 in place of 1)")));
}

#[test]
fn what_comes_in_the_place_of_an_instance_of_a_lost_node_says_so_until_it_runs() {
    let mut lost = listed("web", 1, "running", "shutdown", "r");
    lost["NodeID"] = json!("n2");
    for (phase, desired, is_said) in
        [("ready", "ready", true), ("starting", "running", true), ("running", "running", false)]
    {
        let mut successor = listed("web", 1, phase, desired, "r");
        successor["ID"] = json!("successor");
        let status = status(&described("web", 1, "r"), &[lost.clone(), successor]);
        let note = status.instances[0].note.as_deref().unwrap_or_default();
        assert_eq!(note.starts_with("its node two is down"), is_said, "{phase}: {note}");
    }
}

#[test]
fn while_it_is_replaced_a_slot_has_the_one_that_serves_and_the_one_that_comes() {
    let tasks = [
        listed("web", 1, "running", "running", "old"),
        listed("web", 1, "starting", "running", "new"),
        listed("web", 2, "running", "shutdown", "old"),
        listed("web", 2, "running", "running", "new"),
    ];
    assert_eq!(
        rows(&described("web", 2, "new"), &tasks),
        [
            "web.1 running current",
            "web.1 starting incoming",
            "web.2 running current",
            "web.2 stopping leaving"
        ]
    );
}

#[test]
fn a_slot_without_a_task_says_why() {
    let mut service = described("web", 3, "r");
    let crashed = listed("web", 2, "failed", "shutdown", "r");
    let of_crashed = |service: &Value| rows(service, std::slice::from_ref(&crashed)).remove(0);
    assert_eq!(
        of_crashed(&described("web", 1, "r")),
        "web.2 backoff current",
        "its successor comes in a moment"
    );
    service["Spec"]["TaskTemplate"]["RestartPolicy"] = json!({"Condition": "any", "MaxAttempts": 3});
    assert_eq!(
        rows(&service, &[listed("web", 1, "running", "running", "r"), crashed.clone()]),
        ["web.1 running current", "web.2 crashed current GivenUp", "web.3 waiting current"]
    );
    // A task that has a successor is history.
    let mut again = listed("web", 2, "starting", "ready", "r");
    again["CreatedAt"] = json!("2026-11-27T10:01:00.1Z");
    assert_eq!(rows(&described("web", 1, "r"), &[crashed, again]), ["web.2 backoff current"]);
    let mut job = described("web", 1, "r");
    job["Spec"]["TaskTemplate"]["RestartPolicy"] = json!({"Condition": "on-failure"});
    let done = listed("web", 1, "complete", "shutdown", "r");
    assert_eq!(rows(&job, &[done]), ["web.1 stopped current Finished"]);
}

#[test]
fn what_a_person_has_stopped_is_there_and_stopped() {
    let mut service = described("web", 0, "r");
    service["Spec"]["Labels"][label::STOPPED] = json!("2");
    let ended = listed("web", 1, "shutdown", "shutdown", "r");
    assert_eq!(
        rows(&service, &[ended]),
        ["web.1 stopped current StoppedByHand", "web.2 stopped current StoppedByHand"]
    );
    assert_eq!(rows(&described("web", 0, "r"), &[]), Vec::<String>::new());
}

#[test]
fn an_update_that_the_swarm_gave_up_is_a_trouble() {
    let mut service = described("web", 1, "r");
    service["UpdateStatus"] = json!({"State": "paused", "Message": "update paused due to failure"});
    let told = status(&service, &[listed("web", 1, "running", "running", "r")]).troubles;
    assert!(told.len() == 1 && told[0].contains("given up half-way"), "{told:?}");
}

#[test]
fn nodes_of_one_name_are_told_from_each_other_by_their_ids() {
    let node = |id: &str, name: &str, state: &str| json!({"ID": id, "Description": {"Hostname": name}, "Status": {"State": state}});
    let nodes = Nodes::read(&json!([
        node("n1", "one", "ready"),
        node("n2", "two", "down"),
        node("n3", "two", "ready")
    ]));
    let called = |id: &str| {
        let mut task = listed("web", 1, "running", "running", "r");
        task["NodeID"] = json!(id);
        nodes.name(&SwarmTask::read_all(&json!([task])).remove(0))
    };
    assert_eq!(["n1", "n2", "n3", "n4"].map(called), ["one", "two (n2)", "two (n3)", "n4"]);
}
