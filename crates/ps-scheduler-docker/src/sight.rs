//! The properties of a container in the terms of the settings, both for a running container, as the engine describes
//! it, and for one that would be created now, so that the two can be compared.

use std::collections::BTreeSet;

use serde_json::Value;
use type_settings::{Cpus, Size};

use crate::engine_option::Place;
use crate::label;
use crate::set_for_type::NO_NEW_PRIVILEGES;

/// The engine's unit for a thousandth of a CPU, in billionths.
const NANOS: u64 = 1_000_000;

/// One container.
pub(crate) struct Sight {
    /// The description of the container, with the keys of the call that makes one.
    pub(crate) body: Value,
    /// The networks that it is in.
    pub(crate) networks: BTreeSet<String>,
}

/// A setting that can be seen in a container, and its value there.
pub(crate) type View = (&'static str, fn(&Sight) -> Option<String>);

/// The settings that every container has in some way.
pub(crate) const VIEWS: &[View] = &[
    ("cpu-max", |sight| cpus(&sight.body["HostConfig"])),
    ("extra-hosts", |sight| sorted(&sight.body["HostConfig"]["ExtraHosts"])),
    ("init", |sight| Some(word(sight.body["HostConfig"]["Init"].as_bool().unwrap_or(false)))),
    ("memory-max", |sight| size(&sight.body["HostConfig"]["Memory"])),
    ("mounts", |sight| sorted(&sight.body["HostConfig"]["Binds"])),
    ("networks", |sight| Some(sight.networks.iter().cloned().collect::<Vec<_>>().join(","))),
    ("no-new-privileges", |sight| {
        Some(word(has_no_new_privileges(&sight.body["HostConfig"]["SecurityOpt"])))
    }),
    ("oom-score-adj", |sight| number(&sight.body["HostConfig"]["OomScoreAdj"], |score| score != 0)),
    ("pids-max", |sight| number(&sight.body["HostConfig"]["PidsLimit"], |most| most > 0)),
    ("restart-policy", |sight| {
        ps_engine::policy_of(&sight.body["HostConfig"]["RestartPolicy"]).map(|policy| policy.to_string())
    }),
    ("stop-timeout-seconds", |sight| sight.label(label::GRACE).map(str::to_owned)),
];

impl Sight {
    /// The value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.body["Labels"][name].as_str()
    }

    /// The names of the settings that were set for the type at creation.
    pub(crate) fn set(&self) -> BTreeSet<&str> {
        self.label(label::SET).unwrap_or_default().split_whitespace().collect()
    }

    /// The signal that asks the container to end.
    pub(crate) fn stop_signal(&self) -> Option<String> {
        self.body["StopSignal"].as_str().filter(|signal| !signal.is_empty()).map(str::to_owned)
    }

    /// The process limits whose names `is_meant` selects, each as text with its name.
    pub(crate) fn ulimits(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let limits = self.body["HostConfig"]["Ulimits"].as_array().into_iter().flatten();
        let text = |limit: &Value| {
            let name = limit["Name"].as_str().filter(|name| is_meant(name))?;
            let word = |limit: &Value| match limit.as_i64() {
                None | Some(-1) => "unlimited".to_owned(),
                Some(most) => most.to_string(),
            };
            let (soft, hard) = (word(&limit["Soft"]), word(&limit["Hard"]));
            Some(if soft == hard { format!("{name}={soft}") } else { format!("{name}={soft}:{hard}") })
        };
        let mut limits: Vec<String> = limits.filter_map(text).collect();
        limits.sort();
        limits
    }

    /// The values of an option as the engine reports them, one text for each.
    pub(crate) fn option(&self, place: &Place) -> Vec<String> {
        let node = place.keys.iter().fold(&self.body, |node, key| &node[*key]);
        let is_size = place.name.ends_with("-size") || place.name.starts_with("memory-");
        let text = |value: &Value| match value {
            Value::String(text) if place.name.starts_with("cap-") => {
                let name = text.to_ascii_uppercase();
                name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)
            }
            Value::String(text) => text.clone(),
            Value::Bool(is_on) => word(*is_on),
            Value::Object(device) => {
                let part = |key: &str| device.get(key).and_then(Value::as_str).unwrap_or_default();
                format!("{}:{}:{}", part("PathOnHost"), part("PathInContainer"), part("CgroupPermissions"))
            }
            other => other.to_string(),
        };
        let mut texts: Vec<String> = match node {
            Value::Null => Vec::new(),
            Value::Array(all) => all.iter().map(text).collect(),
            Value::Object(pairs) => {
                pairs.iter().map(|(name, value)| format!("{name}={}", text(value))).collect()
            }
            Value::Number(_) if is_size => size(node).into_iter().collect(),
            Value::Number(_) => number(node, |number| number != 0).into_iter().collect(),
            single => vec![text(single)],
        };
        texts.retain(|text| !text.is_empty());
        texts.sort();
        texts
    }
}

fn word(is_on: bool) -> String {
    if is_on { "yes" } else { "no" }.to_owned()
}

fn number(value: &Value, is_one: impl Fn(i64) -> bool) -> Option<String> {
    value.as_i64().filter(|number| is_one(*number)).map(|number| number.to_string())
}

fn size(bytes: &Value) -> Option<String> {
    Size::of_bytes(bytes.as_u64()?).map(|size| size.to_string())
}

/// The CPU limit. If a person has changed it by hand, it may be given as microseconds of each period.
fn cpus(host: &Value) -> Option<String> {
    let at = |key: &str| host[key].as_u64().filter(|number| *number > 0);
    let share = || Some(at("CpuQuota")? * 1000 / at("CpuPeriod").unwrap_or(100_000));
    let thousandths = at("NanoCpus").map(|nanos| nanos / NANOS).or_else(share)?;
    Cpus::of_thousandths(thousandths.try_into().ok()?).map(|cpus| cpus.to_string())
}

fn sorted(list: &Value) -> Option<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    let texts: BTreeSet<&str> = texts.collect();
    (!texts.is_empty()).then(|| type_settings::listed(&texts.into_iter().collect::<Vec<_>>()))
}

fn has_no_new_privileges(options: &Value) -> bool {
    let options = options.as_array().into_iter().flatten().filter_map(Value::as_str);
    let on = |option: &str| {
        option.strip_prefix(NO_NEW_PRIVILEGES).map(|rest| matches!(rest, "" | ":true" | "=true"))
    };
    options.filter_map(on).any(|is_on| is_on)
}
