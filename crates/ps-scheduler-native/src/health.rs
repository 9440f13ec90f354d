//! Turns the checks of a plan into those that the supervisor carries out.

use ps_scheduler::{Plan, Process};
use ps_supervisor::{Health, ProcessSpec, Ready, Spec};
use type_settings::Whole;

/// The checks of a type. An app keeps the rules of the version that deployed it until its next deploy. By those of a version
/// without checks an instance is ready once its process lives.
pub(crate) fn health(plan: &Plan, process: &Process, earlier: Option<&Spec>) -> Option<Health> {
    let before = earlier.filter(|_| !plan.is_deploy).and_then(|spec| spec.process(&process.process_type));
    let knows_nothing = |before: &ProcessSpec| before.health.is_none();
    (!before.is_some_and(knows_nothing)).then(|| Health {
        ready: ready(process, before),
        deadline: Some(process.deadline()),
        checks: process.checks.clone(),
        watchdog: process.settings.watchdog_seconds.map(Whole::seconds),
        only_tells: false,
    })
}

/// The condition that was set. If none was set, a deploy takes the usual one, and every other verb that of the last deploy.
fn ready(process: &Process, before: Option<&ProcessSpec>) -> Ready {
    let kept = || {
        let before = before.filter(|before| before.settings.ready.is_none())?;
        before.health.as_ref().map(|health| health.ready)
    };
    let kept = if process.settings.ready.is_none() { kept() } else { None };
    kept.unwrap_or_else(|| process.ready().into())
}

#[cfg(test)]
mod tests {
    use type_settings::{Ready as Set, TypeSettings};

    use super::*;

    fn set(ready: Option<Set>) -> TypeSettings {
        TypeSettings { ready, ..TypeSettings::default() }
    }

    fn web(settings: TypeSettings) -> Process {
        Process { settings, ..Process::new("web".parse().expect("legal"), Some("run".to_owned())) }
    }

    #[test]
    fn what_the_last_deploy_went_by_holds_until_the_next_one_unless_something_was_set_before_or_since() {
        let before = |ready, settings| ProcessSpec {
            health: Some(Health { ready, ..Health::default() }),
            settings,
            ..ProcessSpec::default()
        };
        let of_earlier_version = before(Ready::Alive, set(None));
        assert_eq!(ready(&web(set(None)), Some(&of_earlier_version)), Ready::Alive);
        assert_eq!(ready(&web(set(Some(Set::Notify))), Some(&of_earlier_version)), Ready::Notify);
        let was_set = before(Ready::Alive, set(Some(Set::Alive)));
        assert_eq!(ready(&web(set(None)), Some(&was_set)), Ready::Listening);
        assert_eq!(ready(&web(set(None)), None), Ready::Listening);
    }
}
