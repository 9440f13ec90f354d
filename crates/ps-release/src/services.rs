//! The services of a Compose file as process types.

use std::collections::BTreeMap;
use std::time::Duration;

use app_json::AppJson;
use formation::ProcessType;
use ps_apps::ServiceRecord;
use ps_rollout::Strategy;
use serde_json::Value;
use type_settings::Setting;

use crate::{Ask, Check, Process};

/// What Docker takes for a check that says nothing of it.
const USUAL_SPAN: Duration = Duration::from_secs(30);
const USUAL_RETRIES: u32 = 3;

/// A process type for each service.
pub(crate) fn processes(services: &BTreeMap<String, ServiceRecord>) -> impl Iterator<Item = Process> {
    let process = |name: &String| Some(Process::new(name.parse().ok()?, None));
    services.keys().filter_map(process)
}

/// Takes the check and the strategy of a type from its service where app.json says nothing of them.
pub(crate) fn complete(process: &mut Process, service: &ServiceRecord) {
    if process.checks.startup.is_empty() {
        process.checks.startup.extend(check(&service.container["Healthcheck"]));
    }
    process.strategy =
        process.strategy.or_else(|| strategy(&service.container["HostConfig"], &service.container));
}

/// What app.json sets for a type, and what of the rest its service sets.
pub(crate) fn settings(
    app_json: &AppJson,
    service: Option<&ServiceRecord>,
    process_type: &ProcessType,
) -> Vec<(&'static Setting, String)> {
    let mut settings = app_json.settings(process_type.as_str()).unwrap_or_default().to_vec();
    for (name, value) in service.iter().flat_map(|service| &service.settings) {
        let Some(setting) = Setting::named(name) else { continue };
        if !settings.iter().any(|(other, _)| other.name == setting.name) {
            settings.push((setting, value.clone()));
        }
    }
    settings
}

/// Two instances that write to the same volume could destroy it, and two cannot be published at the same port of the host.
fn strategy(host: &Value, container: &Value) -> Option<Strategy> {
    let is_written = |bind: &Value| {
        let options = bind.as_str().and_then(|bind| bind.splitn(3, ':').nth(2)).unwrap_or_default();
        !options.split(',').any(|option| option == "ro")
    };
    let binds = host["Binds"].as_array();
    if container["Volumes"].is_object() || binds.is_some_and(|binds| binds.iter().any(is_written)) {
        return Some(Strategy::StopFirst);
    }
    host["PortBindings"].is_object().then_some(Strategy::OneByOne)
}

/// The engine's check as one that a new instance must pass.
fn check(health: &Value) -> Option<Check> {
    let test: Vec<&str> = health["Test"].as_array()?.iter().filter_map(Value::as_str).collect();
    let words: Vec<String> = match test.split_first()? {
        (&"CMD", words) if !words.is_empty() => words.iter().map(|word| (*word).to_owned()).collect(),
        (&"CMD-SHELL", [script]) => vec!["/bin/sh".to_owned(), "-c".to_owned(), (*script).to_owned()],
        _ => return None,
    };
    let span = |key: &str| health[key].as_u64().filter(|nanos| *nanos > 0).map(Duration::from_nanos);
    let wait = span("Interval").unwrap_or(USUAL_SPAN);
    let retries = health["Retries"].as_u64().and_then(|retries| u32::try_from(retries).ok());
    let retries = retries.filter(|retries| *retries > 0).unwrap_or(USUAL_RETRIES);
    // While it starts its failures do not count.
    let start = span("StartPeriod").unwrap_or_default();
    let early = u32::try_from(start.as_secs() / wait.as_secs().max(1)).unwrap_or(u32::MAX);
    Some(Check {
        ask: Ask::Run(words),
        attempts: retries.saturating_add(early),
        timeout: span("Timeout").unwrap_or(USUAL_SPAN),
        wait,
        initial_delay: Duration::ZERO,
        only_warns: false,
        on_failure: Vec::new(),
        port: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_writes_to_a_volume_or_is_published_is_never_there_twice() {
        let of = |container: Value| strategy(&container["HostConfig"], &container);
        assert_eq!(of(json!({"HostConfig": {"Binds": ["db:/data"]}})), Some(Strategy::StopFirst));
        assert_eq!(of(json!({"Volumes": {"/data": {}}, "HostConfig": {}})), Some(Strategy::StopFirst));
        assert_eq!(of(json!({"HostConfig": {"Binds": ["/etc/x:/x:ro,z"]}})), None);
        assert_eq!(of(json!({"HostConfig": {"PortBindings": {"80/tcp": []}}})), Some(Strategy::OneByOne));
    }

    #[test]
    fn an_engines_check_is_one_that_a_new_instance_must_pass() {
        let health = json!({"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_u64, "Retries": 2, "StartPeriod": 10_000_000_000_u64});
        let check = check(&health).expect("a check");
        assert_eq!(check.ask, Ask::Run(vec!["/bin/sh".into(), "-c".into(), "true".into()]));
        assert_eq!((check.attempts, check.wait, check.timeout), (4, Duration::from_secs(5), USUAL_SPAN));
        assert!(super::check(&json!({"Test": ["NONE"]})).is_none() && super::check(&Value::Null).is_none());
    }
}
