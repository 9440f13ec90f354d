//! The services of a Compose file as process types.

use std::collections::BTreeMap;
use std::time::Duration;

use app_json::AppJson;
use formation::ProcessType;
use ps_apps::{OfSource, ServiceRecord};
use ps_rollout::Strategy;
use serde_json::Value;
use type_settings::Setting;

use crate::{Ask, Check, Process};

/// Docker's default for an interval or timeout of a check.
const USUAL_SPAN: Duration = Duration::from_secs(30);
const USUAL_RETRIES: u32 = 3;

/// A process type for each service.
pub(crate) fn processes(services: &BTreeMap<String, ServiceRecord>) -> impl Iterator<Item = Process> {
    let process = |name: &String| Some(Process::new(name.parse().ok()?, None));
    services.keys().filter_map(process)
}

/// Takes the check and the strategy of a type from its service, if app.json does not set them.
pub(crate) fn complete(process: &mut Process, service: &ServiceRecord) {
    if process.checks.startup.is_empty() {
        process.checks.startup.extend(check(&service.container["Healthcheck"]));
    }
    process.strategy =
        process.strategy.or_else(|| strategy(&service.container["HostConfig"], &service.container));
}

/// The settings of a type in app.json, and those of its service.
pub(crate) fn settings(
    app_json: &AppJson,
    service: Option<&ServiceRecord>,
    process_type: &ProcessType,
) -> OfSource {
    let app_json = app_json.settings(process_type.as_str()).unwrap_or_default().to_vec();
    let named = |(name, value): (&String, &String)| Some((Setting::named(name)?, value.clone()));
    let own = service.iter().flat_map(|service| service.settings.iter().filter_map(named));
    let of_container = service.iter().flat_map(|service| of_container(&service.container));
    OfSource { app_json, compose: own.chain(of_container).collect() }
}

/// The recorded properties of a service, as the engine names them, that are settings of a process type.
fn of_container(container: &Value) -> Vec<(&'static Setting, String)> {
    let host = &container["HostConfig"];
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    };
    let limits = host["Ulimits"].as_array().into_iter().flatten();
    let limits = limits.map(|limit| {
        format!("{}={}:{}", limit["Name"].as_str().unwrap_or_default(), limit["Soft"], limit["Hard"])
    });
    let labels = container["Labels"].as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    let lists = [
        ("extra-hosts", texts(&host["ExtraHosts"])),
        ("labels", labels.collect()),
        ("mounts", texts(&host["Binds"])),
        ("ulimits", limits.collect()),
        ("init", host["Init"].as_bool().map(|is_on| is_on.to_string()).into_iter().collect()),
    ];
    let set = |(name, elements): (&str, Vec<String>)| {
        let setting = Setting::named(name).expect("it is in the table");
        // Elements that the setting does not accept are left out; the file still has them.
        let elements = elements.into_iter().map(|element| type_settings::listed(&[element]));
        let text = elements.filter(|element| setting.accepts(element)).collect::<Vec<_>>().join(",");
        setting.accepts(&text).then_some((setting, text))
    };
    lists.into_iter().filter_map(set).collect()
}

/// The strategy that a service needs: two instances that write to the same volume could destroy it, and two cannot use the
/// same port of the host.
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

/// The engine's health check as a startup check.
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
    // During the start period its failures do not count.
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
    fn what_a_service_says_in_the_engines_words_is_set_for_its_type() {
        let container = json!({
            "Labels": {"team": "a,b", "com.dokku.x": "1"},
            "HostConfig": {
                "Init": true, "Binds": ["db:/data", "/etc/x:/x:ro,z"], "ExtraHosts": ["a:10.0.0.1"],
                "Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 9}, {"Name": "core", "Soft": -1, "Hard": -1}],
            },
        });
        let set: Vec<String> = of_container(&container)
            .into_iter()
            .map(|(setting, text)| format!("{} {text}", setting.name))
            .collect();
        let meant = [
            "extra-hosts a:10.0.0.1",
            r"labels team=a\,b",
            r"mounts db:/data,/etc/x:/x:ro\,z",
            "ulimits nofile=5:9,core=-1:-1",
            "init true",
        ];
        assert_eq!(set, meant);
        assert!(of_container(&Value::Null).is_empty());
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
