//! Translates the settings of a process of process-compose into keys of app.json.

use serde_json::{Map, Value, json};

use crate::import::found::Asked;
use crate::import::gather::Gathering;
use crate::import::node::Node;

/// What process-compose gives a process to end that says nothing of it, in seconds.
const USUAL_GRACE: &str = "10";
/// The pause of process-compose before a process is started again, in seconds.
const USUAL_BACKOFF: &str = "1";

const AVAILABILITY: &[&str] =
    &["restart", "backoff_seconds", "max_restarts", "exit_on_end", "exit_on_skipped"];
const SHUTDOWN: &[&str] = &["command", "signal", "timeout_seconds", "parent_only"];
const PROBE: &[&str] = &[
    "http_get",
    "exec",
    "initial_delay_seconds",
    "period_seconds",
    "timeout_seconds",
    "success_threshold",
    "failure_threshold",
];
const HTTP_GET: &[&str] = &["host", "scheme", "path", "port", "num_port", "status_code", "headers"];
const EXEC: &[&str] = &["command", "working_dir"];

/// What asks for something that is not done, with the value at which it asks for nothing.
const UNHEEDED: &[(&str, &[(&str, &str)])] = &[
    ("availability", &[("exit_on_end", "false"), ("exit_on_skipped", "false")]),
    ("readiness_probe", &[("success_threshold", "1")]),
    ("readiness_probe.http_get", &[("status_code", "200"), ("headers", "")]),
    ("readiness_probe.exec", &[("working_dir", "")]),
    ("liveness_probe", &[("success_threshold", "1")]),
    ("liveness_probe.http_get", &[("status_code", "200"), ("headers", "")]),
    ("liveness_probe.exec", &[("working_dir", "")]),
];

/// The parts of a process's keys that have no effect, each with its path: `availability.exit_on_end`.
fn unheeded(process: &Node) -> Vec<String> {
    let mut all = Vec::new();
    for (path, keys) in UNHEEDED {
        let node = path.split('.').try_fold(process, |node, key| node.get(key));
        let asks = |key: &str, usual: &str| {
            let value = node.and_then(|node| node.get(key)).filter(|value| !value.is_empty());
            value.is_some_and(|value| value.scalar().is_none_or(|word| word != usual))
        };
        let asked = keys.iter().filter(|(key, usual)| asks(key, usual));
        all.extend(asked.map(|(key, _)| format!("{path}.{key}")));
    }
    for probe in ["readiness_probe", "liveness_probe"] {
        let has = |key: &str| process.get(probe).is_some_and(|probe| probe.get(key).is_some());
        if has("http_get") && has("exec") {
            all.push(format!("{probe}.exec"));
        }
    }
    all
}

/// Reads what one process asks for.
pub(crate) fn of(gathering: &mut Gathering, name: &str, process: &Node) -> Asked {
    let mut asked = Asked { count: text(process, "replicas"), ..Asked::default() };
    if !gathering.is_whole() {
        let keys = ["availability", "shutdown", "depends_on", "readiness_probe", "liveness_probe"];
        let is_asked = |key: &&str| process.get(key).is_some_and(|value| !value.is_empty());
        gathering.note_settings(name, keys.into_iter().filter(is_asked));
        return asked;
    }
    let place = |part: &str| format!("processes.{name}.{part}");
    let mut part = |key: &str, known: &[&'static str]| {
        let node = process.get(key);
        let keys = node.map(Node::entries).unwrap_or_default().iter().map(|(key, _)| key.as_str());
        gathering.list_unknown(&place(key), keys, known);
        node
    };
    let availability = part("availability", AVAILABILITY);
    let shutdown = part("shutdown", SHUTDOWN);
    gathering.note_settings(name, unheeded(process).iter().map(String::as_str));
    restarting(&mut asked, availability);
    ending(&mut asked, shutdown);
    after(gathering, name, &mut asked, process.get("depends_on"));
    for (key, kind) in [("readiness_probe", "readiness"), ("liveness_probe", "liveness")] {
        if let Some(probe) = process.get(key) {
            check(gathering, name, &mut asked, (key, kind, probe));
        }
    }
    if asked.checks.is_empty() {
        asked.set("ready", "alive");
    }
    asked
}

fn restarting(asked: &mut Asked, availability: Option<&Node>) {
    let said = |key: &str| availability.and_then(|node| text(node, key));
    let most = said("max_restarts").filter(|most| most != "0");
    let policy = match said("restart").as_deref() {
        Some("always") => "always".to_owned(),
        Some("on_failure" | "exit_on_failure") => match &most {
            Some(most) => format!("on-failure:{most}"),
            None => "on-failure".to_owned(),
        },
        _ => "no".to_owned(),
    };
    if policy != "no" {
        let delay = format!("{}s", said("backoff_seconds").unwrap_or_else(|| USUAL_BACKOFF.to_owned()));
        asked.set("restart_delay", delay.as_str());
        asked.set("restart_delay_max", delay);
    }
    asked.set("restart_policy", policy);
}

fn ending(asked: &mut Asked, shutdown: Option<&Node>) {
    let said = |key: &str| shutdown.and_then(|node| text(node, key));
    if let Some(command) = said("command") {
        asked.set("stop_command", command);
    }
    if let Some(signal) = said("signal").filter(|signal| signal != "0") {
        asked.set("stop_signal", signal);
    }
    if said("parent_only").is_some_and(|word| matches!(word.as_str(), "yes" | "true")) {
        asked.set("stop_tree", "main");
    }
    let grace = said("timeout_seconds").unwrap_or_else(|| USUAL_GRACE.to_owned());
    asked.set("stop_timeout_seconds", number(&grace));
}

fn after(gathering: &mut Gathering, name: &str, asked: &mut Asked, depends_on: Option<&Node>) {
    let entries = depends_on.map(Node::entries).unwrap_or_default();
    for (other, how) in entries {
        let milestone = match how.get("condition").and_then(Node::scalar).as_deref() {
            None | Some("process_started") => "started",
            Some("process_healthy") => "ready",
            Some("process_completed_successfully") => "done",
            Some(condition @ "process_completed") => {
                gathering.note(name, format_args!("{condition} of {other}: it waits for a successful end"));
                "done"
            }
            Some(condition) => {
                gathering.note(name, format_args!("{condition} of {other}: it waits until that is ready"));
                "ready"
            }
        };
        asked.after.push((other.clone(), milestone));
    }
}

/// A probe as a check. One of readiness is made at the start too, because a process that waits for this one waits for that.
fn check(gathering: &mut Gathering, name: &str, asked: &mut Asked, (key, kind, probe): (&str, &str, &Node)) {
    let place = format!("processes.{name}.{key}");
    let keys = |node: &Node| node.entries().iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    gathering.list_unknown(&place, keys(probe).iter().map(String::as_str), PROBE);
    let mut common = Map::new();
    for (theirs, ours) in [("initial_delay_seconds", "initialDelay"), ("timeout_seconds", "timeout")] {
        if let Some(value) = text(probe, theirs) {
            common.insert(ours.to_owned(), number(&value));
        }
    }
    if let Some(get) = probe.get("http_get") {
        gathering.list_unknown(&format!("{place}.http_get"), keys(get).iter().map(String::as_str), HTTP_GET);
        if text(get, "host")
            .is_some_and(|host| !matches!(host.as_str(), "127.0.0.1" | "localhost" | "0.0.0.0" | "::1"))
        {
            gathering.note(name, format_args!("{key}: another host is asked nothing"));
            return;
        }
        common.insert("path".to_owned(), text(get, "path").unwrap_or_else(|| "/".to_owned()).into());
        if let Some(port) = text(get, "port").or_else(|| text(get, "num_port")) {
            common.insert("port".to_owned(), number(&port));
        }
        if let Some(scheme) = text(get, "scheme") {
            common.insert("scheme".to_owned(), scheme.into());
        }
    } else if let Some(exec) = probe.get("exec") {
        gathering.list_unknown(&format!("{place}.exec"), keys(exec).iter().map(String::as_str), EXEC);
        let Some(command) = text(exec, "command") else { return };
        common.insert("command".to_owned(), json!(["sh", "-c", command]));
    } else {
        return;
    }
    let period = text(probe, "period_seconds").map_or(Value::from(10), |period| number(&period));
    let attempts = text(probe, "failure_threshold").map_or(Value::from(3), |most| number(&most));
    if kind == "readiness" {
        let mut startup = common.clone();
        startup.extend([("type".to_owned(), "startup".into()), ("wait".to_owned(), period.clone())]);
        startup.insert("attempts".to_owned(), attempts.clone());
        asked.checks.push(startup.into());
    }
    common.extend([("type".to_owned(), kind.into()), ("interval".to_owned(), period)]);
    common.insert("threshold".to_owned(), attempts);
    asked.checks.push(common.into());
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::scalar).filter(|text| !text.is_empty())
}

/// A number as a JSON number, as app.json wants it. Any other text stays a string, so that the check of app.json names
/// it.
fn number(text: &str) -> Value {
    text.trim().parse::<u64>().map_or_else(|_| text.into(), Value::from)
}
