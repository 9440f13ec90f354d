//! The tasks of an app to which the clients of its address are led. Pure.

use std::net::SocketAddr;

use formation::{FIRST_TYPE, Slot};
use ps_service::Backend;

use crate::instances::Nodes;
use crate::service::Service;
use crate::swarm_task::{Phase, SwarmTask};

/// The share of each task.
const WEIGHT: u32 = 100;
/// The length of an id of a task that is short enough for people.
const SHORT: usize = 12;

/// Those of `web`, from the services of an app and their tasks; `led`: to which clients are led now.
pub(crate) fn of_app(
    services: &[Service],
    tasks: &[SwarmTask],
    nodes: &Nodes,
    led: &[Backend],
) -> Vec<Backend> {
    let web = services.iter().find(|service| service.process_type.as_str() == FIRST_TYPE);
    let is_of_web = |task: &&SwarmTask| web.is_some_and(|service| task.service == service.id);
    tasks.iter().filter(is_of_web).filter_map(|task| of_task(task, nodes, led)).collect()
}

/// A task of `web`, if clients can be led to it: it runs, so it has passed its healthcheck, and the swarm wants it to. Whether its node is up
/// need not be asked: of the tasks of one that was lost the swarm wants none any more.
///
/// Another leader of the swarm does not know at which ports those tasks are reached that ran before it began to lead. A task keeps its port,
/// so one that clients are led to stays where it is known to be.
pub(crate) fn of_task(task: &SwarmTask, nodes: &Nodes, led: &[Backend]) -> Option<Backend> {
    if task.phase != Phase::Running || !task.is_wanted() {
        return None;
    }
    let slot = Slot::new(FIRST_TYPE.parse().expect("it is the name of a type"), task.slot);
    let id = format!("{slot}:{}", task.id.get(..SHORT).unwrap_or(&task.id));
    let told = nodes.address(task).zip(task.published.first().copied());
    let known = || led.iter().find(|backend| backend.id == id).map(|backend| backend.address);
    let address = told.map(SocketAddr::from).or_else(known)?;
    Some(Backend { id, address, weight: WEIGHT, release: task.release })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::service::tests::described;
    use crate::swarm_task::tests::listed;

    fn nodes() -> Nodes {
        Nodes::read(&json!([{"ID": "n1", "Status": {"State": "ready", "Addr": "10.0.0.11"}}]))
    }

    fn published(mut task: Value, port: u16) -> Value {
        task["Status"]["PortStatus"] = json!({"Ports": [{"PublishedPort": port}]});
        task
    }

    fn led(tasks: &[Value]) -> Vec<String> {
        led_from(&[], tasks)
    }

    fn led_from(before: &[Backend], tasks: &[Value]) -> Vec<String> {
        let services = Service::read_all(&json!([described("web", 2, "r"), described("api", 1, "r")]));
        let led = of_app(&services, &SwarmTask::read_all(&json!(tasks)), &nodes(), before);
        led.into_iter().map(|backend| format!("{} {}", backend.id, backend.address)).collect()
    }

    #[test]
    fn clients_are_led_to_each_task_of_web_that_runs_and_is_to() {
        let running = published(listed("web", 1, "running", "running", "r"), 30001);
        assert_eq!(led(std::slice::from_ref(&running)), ["web.1:web-1-r-runn 10.0.0.11:30001"]);
        let others = [
            published(listed("web", 2, "starting", "running", "r"), 30002),
            published(listed("web", 2, "running", "shutdown", "r"), 30003),
            published(listed("web", 2, "failed", "shutdown", "r"), 30004),
            published(listed("api", 1, "running", "running", "r"), 30005),
            listed("web", 2, "running", "running", "r"),
        ];
        assert_eq!(led(&others), Vec::<String>::new());
        let mut lost = running;
        lost["NodeID"] = json!("gone");
        assert_eq!(led(&[lost]), Vec::<String>::new(), "nobody knows where its node is");
    }

    #[test]
    fn a_task_whose_port_another_leader_does_not_know_stays_where_it_is_known_to_be() {
        let before = published(listed("web", 1, "running", "running", "r"), 30001);
        let task = SwarmTask::read_all(&json!([before])).remove(0);
        let known = of_task(&task, &nodes(), &[]).expect("its port is known");
        let after =
            [listed("web", 1, "running", "running", "r"), listed("web", 2, "running", "running", "r")];
        assert_eq!(led_from(&[known], &after), ["web.1:web-1-r-runn 10.0.0.11:30001"]);
    }
}
