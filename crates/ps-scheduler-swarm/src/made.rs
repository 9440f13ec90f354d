//! What a service was made with, as a label of it: a short digest for each part of its specification. Whoever else changes the service, as
//! `docker service update` does, leaves the label as it is, and so the change is seen. Pure.
//!
//! A digest is over a whole part, so that no single value can be guessed from it. Empty values count as none, because a swarm leaves them out.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::label;

/// The part that verbs change alone.
const COUNT: &str = "count";

/// A part of a specification: what it is called, and how it is read.
type Part = (&'static str, fn(&Value) -> Value);

const PARTS: [Part; 11] = [
    ("image", |spec| container(spec)["Image"].clone()),
    ("environment", |spec| container(spec)["Env"].clone()),
    ("command", |spec| json!([container(spec)["Command"], container(spec)["Args"]])),
    ("labels", |spec| json!([labels(spec), container(spec)["Labels"]])),
    ("user", |spec| json!([container(spec)["User"], container(spec)["Dir"], container(spec)["Groups"]])),
    ("mounts", |spec| container(spec)["Mounts"].clone()),
    ("secrets", |spec| {
        let all = container(spec)["Secrets"].as_array().into_iter().flatten();
        all.map(|secret| secret["SecretName"].clone()).collect()
    }),
    ("checks", |spec| container(spec)["Healthcheck"]["Test"].clone()),
    ("constraints", |spec| spec["TaskTemplate"]["Placement"]["Constraints"].clone()),
    ("limits", |spec| {
        let resources = &spec["TaskTemplate"]["Resources"];
        json!([resources["Limits"], resources["Reservations"]["MemoryBytes"]])
    }),
    ("ports", |spec| {
        let all = spec["EndpointSpec"]["Ports"].as_array().into_iter().flatten();
        all.map(|port| json!([port["PublishedPort"], port["TargetPort"], port["PublishMode"]])).collect()
    }),
];

/// The labels that verbs change without making the service anew.
const OF_VERBS: [&str; 5] = [label::MADE, label::STOPPED, label::NUDGED, label::RELEASE, label::DEPLOY];

/// How a service differs from what it was made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Altered {
    /// The parts of its specification that differ; of the number of its tasks see `count`.
    pub(crate) parts: Vec<&'static str>,
    /// The number of tasks that it was given, if it has another one.
    pub(crate) count: Option<u64>,
}

impl Altered {
    /// How a specification differs from what its label says. A part that the label does not name is not compared: the service is of an earlier
    /// version.
    pub(crate) fn of(spec: &Value) -> Self {
        let word = |part: &str| {
            let words = spec["Labels"][label::MADE].as_str()?.split(' ');
            words
                .filter_map(|word| word.split_once('='))
                .find(|(name, _)| *name == part)
                .map(|(_, value)| value)
        };
        let differs =
            |(part, of): &Part| word(part).is_some_and(|made| made != digest(&of(spec))).then_some(*part);
        let given = word(COUNT).and_then(|count| count.parse().ok());
        Self {
            parts: PARTS.iter().filter_map(differs).collect(),
            count: given.filter(|count| *count != replicas(spec)),
        }
    }

    /// What differs, as words that follow "has changed"; `None`: nothing. `replicas` is the number of tasks that the service has.
    pub(crate) fn said(&self, replicas: u16) -> Option<String> {
        let count = self.count.map(|given| format!("{COUNT}: {replicas} in place of {given}"));
        let parts: Vec<String> = self.parts.iter().map(|part| (*part).to_owned()).chain(count).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Notes in a specification what it is.
pub(crate) fn stamp(spec: &mut Value) {
    let mut words = String::new();
    for (part, of) in PARTS {
        let _ = write!(words, "{part}={} ", digest(&of(spec)));
    }
    spec["Labels"][label::MADE] = json!(format!("{words}{COUNT}={}", replicas(spec)));
}

/// Notes another number of tasks in a specification that says what it is.
pub(crate) fn recount(spec: &mut Value) {
    let Some(made) = spec["Labels"][label::MADE].as_str() else { return };
    let others = made.split(' ').filter(|word| word.split_once('=').is_none_or(|(part, _)| part != COUNT));
    let mut words: Vec<String> = others.map(str::to_owned).collect();
    words.push(format!("{COUNT}={}", replicas(spec)));
    spec["Labels"][label::MADE] = json!(words.join(" "));
}

fn container(spec: &Value) -> &Value {
    &spec["TaskTemplate"]["ContainerSpec"]
}

fn replicas(spec: &Value) -> u64 {
    spec["Mode"]["Replicated"]["Replicas"].as_u64().unwrap_or(0)
}

fn labels(spec: &Value) -> Value {
    let all = spec["Labels"].as_object().into_iter().flatten();
    all.filter(|(name, _)| !OF_VERBS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn digest(value: &Value) -> String {
    let mut text = String::new();
    spell(value, &mut text);
    format!("{:08x}", label::fold(&text) >> 32)
}

/// Spells a value, its members in the order of their names, without those that are empty.
fn spell(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().filter(|(_, member)| !is_empty(member)).collect();
            members.sort_by_key(|(name, _)| *name);
            for (name, member) in members {
                let _ = write!(text, "{name:?}:");
                spell(member, text);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                text.push('[');
                spell(element, text);
                text.push(']');
            }
        }
        empty if is_empty(empty) => {}
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        let mut spec = json!({
            "Labels": {label::APP: "shop", label::DEPLOY: "d"},
            "Mode": {"Replicated": {"Replicas": 3}},
            "TaskTemplate": {
                "ContainerSpec": {"Image": "shop:1", "Env": ["A=1"], "Args": null, "Labels": {"x": "1", "b": "2"}, "Mounts": []},
                "Placement": {"Constraints": ["node.role==worker"]},
            },
            "EndpointSpec": {"Ports": [{"PublishedPort": 80, "TargetPort": 5000, "PublishMode": "host"}]},
        });
        stamp(&mut spec);
        spec
    }

    fn said(change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut spec = spec();
        change(&mut spec);
        Altered::of(&spec).said(5)
    }

    #[test]
    fn what_somebody_changes_is_named_by_its_part() {
        let container = |spec: &mut Value, key: &str, value: Value| {
            spec["TaskTemplate"]["ContainerSpec"][key] = value;
        };
        assert_eq!(said(|_| ()), None);
        assert_eq!(said(|spec| container(spec, "Image", json!("shop:2"))).as_deref(), Some("image"));
        assert_eq!(said(|spec| container(spec, "Env", json!(["A=2"]))).as_deref(), Some("environment"));
        assert_eq!(said(|spec| container(spec, "Args", json!(["x"]))).as_deref(), Some("command"));
        assert_eq!(said(|spec| container(spec, "Labels", json!({"x": "1"}))).as_deref(), Some("labels"));
        assert_eq!(said(|spec| spec["Labels"]["traefik"] = json!("y")).as_deref(), Some("labels"));
        assert_eq!(
            said(|spec| spec["EndpointSpec"]["Ports"][0]["PublishedPort"] = json!(81)).as_deref(),
            Some("ports")
        );
        let both = said(|spec| {
            container(spec, "Image", json!("shop:2"));
            spec["Mode"]["Replicated"]["Replicas"] = json!(5);
        });
        assert_eq!(both.as_deref(), Some("image, count: 5 in place of 3"));
    }

    #[test]
    fn what_a_swarm_writes_in_its_own_way_is_the_same() {
        let same = said(|spec| {
            let container = &mut spec["TaskTemplate"]["ContainerSpec"];
            container["Labels"] = json!({"b": "2", "x": "1"});
            let members = container.as_object_mut().expect("an object");
            members.remove("Args");
            members.remove("Mounts");
            members.insert("User".to_owned(), json!(""));
        });
        assert_eq!(same, None);
    }

    #[test]
    fn what_verbs_change_is_none_of_it_and_a_service_of_an_earlier_version_is_not_judged() {
        let mut counted = spec();
        counted["Mode"]["Replicated"]["Replicas"] = json!(7);
        recount(&mut counted);
        for name in [label::STOPPED, label::NUDGED, label::RELEASE] {
            counted["Labels"][name] = json!("1");
        }
        assert_eq!(Altered::of(&counted), Altered::default());
        let earlier = said(|spec| {
            spec["Labels"].as_object_mut().expect("an object").remove(label::MADE);
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("shop:2");
        });
        assert_eq!(earlier, None);
    }
}
