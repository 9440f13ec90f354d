//! How the instances of each type are found ready and watched, as the supervisor is told it.

use ps_scheduler::{Plan, Process};
use ps_supervisor::{Health, ProcessSpec, Ready, Spec};
use type_settings::{Ready as Set, Whole};

/// What a plan says of a type. An app that was deployed by a version that knew nothing of this keeps its rule, which is that an
/// instance is ready once it lives, until its next deploy.
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

/// What was set; else its checks say so.
fn ready(process: &Process) -> Ready {
    match process.settings.ready {
        Some(Set::Listening) => Ready::Listening,
        Some(Set::Notify) => Ready::Notify,
        Some(Set::Alive) | None => Ready::Alive,
    }
}
