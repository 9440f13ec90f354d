//! Turns the checks of a plan into those that the supervisor carries out.

use ps_scheduler::{Plan, Process};
use ps_supervisor::{Health, ProcessSpec, Ready, Spec};
use type_settings::{Ready as Set, Whole};

/// The checks of a type. An app that was deployed by a version without checks keeps the rule of that version until its next
/// deploy: an instance is ready once its process lives.
pub(crate) fn health(plan: &Plan, process: &Process, earlier: Option<&Spec>) -> Option<Health> {
    let before = earlier.and_then(|spec| spec.process(&process.process_type));
    let keeps_rule = |before: &ProcessSpec| !plan.is_deploy && before.health.is_none();
    (!before.is_some_and(keeps_rule)).then(|| Health {
        ready: ready(process),
        deadline: Some(ps_scheduler::deadline(Some(process))),
        checks: process.checks.clone(),
        watchdog: process.settings.watchdog_seconds.map(Whole::seconds),
    })
}

/// The condition that was set; otherwise it follows from the checks.
fn ready(process: &Process) -> Ready {
    match process.settings.ready {
        Some(Set::Listening) => Ready::Listening,
        Some(Set::Notify) => Ready::Notify,
        Some(Set::Alive) | None => Ready::Alive,
    }
}
