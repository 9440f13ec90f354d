//! Types that wait for each other, in containers.

use std::time::Duration;

use jiff::Timestamp;
use ps_scheduler::{Cancel, Error, Intent, Plan, Requester, Scheduler};

use crate::place::{Place, SERVER, docker};

/// `web` waits for `worker`, whose command is another.
fn plan(place: &Place, after: &str, worker: &str, intent: &Intent) -> Plan {
    let mut plan = place.plan(&["web=1", "worker=1"], SERVER, intent);
    for process in &mut plan.release.processes {
        if process.process_type.as_str() == "web" {
            process.settings.after = after.parse().ok();
        } else {
            process.command = Some(worker.to_owned());
        }
    }
    plan
}

fn deploy(place: &Place, plan: &Plan) -> Result<(), Error> {
    let mut requester = Requester { tell: &mut |_| (), cancel: &Cancel::default(), lock: None };
    place.docker.deploy(plan, &mut requester).map(drop)
}

/// A time that the engine knows of the container of a type.
fn time(place: &Place, process_type: &str, field: &str) -> Timestamp {
    let instances = place.status().instances;
    let found = instances.iter().find(|instance| instance.slot.process_type.as_str() == process_type);
    let id = found.and_then(|instance| instance.container_id.clone()).expect("it has a container");
    docker(&["inspect", "--format", &format!("{{{{.State.{field}}}}}"), &id]).parse().expect("a time")
}

#[test]
fn a_container_starts_after_what_it_waits_for_has_passed_its_gate() {
    let place = Place::new();
    deploy(&place, &plan(&place, "worker", "sleep 600", &Intent::Deploy)).expect("it is deployed");
    let waited = time(&place, "web", "StartedAt").duration_since(time(&place, "worker", "StartedAt"));
    assert!(waited.unsigned_abs() >= Duration::from_secs(1) && waited.is_positive(), "{waited:?}");
}

#[test]
fn a_container_starts_after_what_is_to_be_done_has_ended_and_never_if_that_fails() {
    let place = Place::new();
    let failing = plan(&place, "worker:done", "exit 3", &Intent::Deploy);
    let failed = deploy(&place, &failing).expect_err("it fails").to_string();
    assert!(failed.contains("worker.1") && failed.contains("exit status 3"), "{failed}");
    assert!(!place.names().iter().any(|name| name.contains("web")), "{:?}", place.names());
    deploy(&place, &plan(&place, "worker:done", "true", &Intent::Deploy)).expect("it is deployed");
    assert!(time(&place, "web", "StartedAt") >= time(&place, "worker", "FinishedAt"));
}
