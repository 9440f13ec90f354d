//! Turns the checks of a plan into those that the supervisor carries out.

use ps_scheduler::{Plan, Process};
use ps_supervisor::{Ask, Check, Checks, Health, ProcessSpec, Ready, Scheme, Spec};
use type_settings::{Checking, Whole};

/// The checks of a type. Until its next deploy an app keeps the rules of the version of this project that deployed it. By the rules of a
/// version without checks, an instance is ready once its process lives.
pub(crate) fn health(plan: &Plan, process: &Process, earlier: Option<&Spec>) -> Option<Health> {
    let before = earlier
        .filter(|_| !plan.is_deploy || plan.keeps(&process.process_type))
        .and_then(|spec| spec.process(&process.process_type));
    let knows_nothing = |before: &ProcessSpec| before.health.is_none();
    (!before.is_some_and(knows_nothing)).then(|| Health {
        ready: ready_of(plan, process, before),
        deadline: Some(process.deadline()),
        checks: checks(process, before),
        asks_own_ports: before.is_none_or(asks_own_ports),
        watchdog: process.settings.watchdog_seconds.map(Whole::seconds),
        only_tells: false,
    })
}

/// The checks of the release. An earlier version left checks by https out of the spec. They stay out until the next deploy, because they
/// were never tried on this app. If checks were turned off for the last verb, the version cannot be determined, and all checks are used.
fn checks(process: &Process, before: Option<&ProcessSpec>) -> Checks {
    let mut checks = process.checks.clone();
    let is_told = |before: &&ProcessSpec| matches!(before.settings.checks, None | Some(Checking::Asked));
    let known = before.filter(is_told).and_then(|before| before.health.as_ref()).map(|health| &health.checks);
    if let Some(known) = known {
        let lists = [
            (&mut checks.startup, &known.startup),
            (&mut checks.liveness, &known.liveness),
            (&mut checks.readiness, &known.readiness),
        ];
        for (list, known) in lists {
            list.retain(|check| !is_by_https(check) || known.contains(check));
        }
    }
    checks
}

fn is_by_https(check: &Check) -> bool {
    matches!(&check.ask, Ask::Get(get) if get.scheme == Scheme::Https)
}

/// Whether the version that deployed the app last sends each check to the port of the check itself. Until the next deploy that stays so.
fn asks_own_ports(before: &ProcessSpec) -> bool {
    before.health.as_ref().is_some_and(|health| health.asks_own_ports)
}

/// The readiness condition. Nothing shows of an instance that was given the sockets of the app's address whether it accepts clients, so that
/// it lives is all that is asked if nothing was set.
fn ready_of(plan: &Plan, process: &Process, before: Option<&ProcessSpec>) -> Ready {
    if plan.release.passes_sockets(&process.process_type) {
        return process.settings.ready.map_or(Ready::Alive, Ready::from);
    }
    ready(process, before)
}

/// The readiness condition that was set. If none was set, a deploy takes the default, and every other verb takes that of the last deploy.
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
    use std::time::Duration;

    use ps_supervisor::Get;
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

    #[test]
    fn the_port_of_a_check_counts_from_the_next_deploy_on() {
        let before = |asks_own_ports| ProcessSpec {
            health: Some(Health { asks_own_ports, ..Health::default() }),
            ..ProcessSpec::default()
        };
        assert!(!asks_own_ports(&before(false)) && asks_own_ports(&before(true)));
        let written = serde_json::to_string(&Health::default()).expect("plain data");
        assert!(!written.contains("asks_own_ports"), "{written}");
    }

    #[test]
    fn a_check_by_https_that_the_last_deploy_left_out_stays_out_until_the_next_one() {
        let get = |scheme| Check {
            ask: Ask::Get(Get { scheme, path: "/up".to_owned(), ..Get::default() }),
            attempts: 3,
            timeout: Duration::from_secs(5),
            wait: Duration::from_secs(5),
            initial_delay: Duration::ZERO,
            only_warns: false,
            on_failure: Vec::new(),
            port: None,
        };
        let of = |startup: &[Check]| Checks { startup: startup.to_vec(), ..Checks::default() };
        let (plain, secure) = (get(Scheme::Http), get(Scheme::Https));
        let asked = Process { checks: of(&[plain.clone(), secure.clone()]), ..web(set(None)) };
        let before = |checks, settings| ProcessSpec {
            health: Some(Health { checks, ..Health::default() }),
            settings,
            ..ProcessSpec::default()
        };
        let of_earlier_version = before(Checks::default(), set(None));
        assert_eq!(checks(&asked, Some(&of_earlier_version)), of(&[plain]));
        assert_eq!(checks(&asked, None), asked.checks);
        assert_eq!(checks(&asked, Some(&before(of(&[secure]), set(None)))), asked.checks);
        let disabled = TypeSettings { checks: Some(Checking::Disabled), ..TypeSettings::default() };
        assert_eq!(checks(&asked, Some(&before(Checks::default(), disabled))), asked.checks);
    }
}
