//! The container settings of a service in a Compose file. Settings of the release override them.

use formation::Slot;
use ps_engine::{Container, ContainerCreateBody};
use ps_release::in_container;
use ps_rollout::Lane;
use ps_scheduler::Release;
use serde_json::{Value, json};

use crate::label::{self, Identity};

/// The container with the settings of its service in the Compose file; unchanged for a type that is no service.
pub(crate) fn laid_under(
    release: &Release,
    identity: &Identity,
    ours: ContainerCreateBody,
) -> Result<ContainerCreateBody, String> {
    let slot = &identity.run.slot;
    let Some(service) = release.source.service(&slot.process_type) else { return Ok(ours) };
    let no_sense =
        |error| format!("what is recorded of its service makes no sense ({error}): deploy it again");
    let mut body = service.container.clone();
    let mut over = serde_json::to_value(ours).map_err(no_sense)?;
    over["Env"] = json!(environment(&body["Env"], &over["Env"], service.port));
    if identity.lane == Lane::Second {
        // Only the run in the slot's own lane publishes ports on the host.
        body["HostConfig"]["PortBindings"] = Value::Null;
    }
    lay(&mut body, over);
    if let Some(port) = service.port {
        body["Labels"][label::PORT] = json!(port.to_string());
    }
    serde_json::from_value(body).map_err(no_sense)
}

/// The port that a container listens on: that of its service, or the one that its type usually has.
pub(crate) fn port(container: Option<&Container>, slot: &Slot) -> Option<u16> {
    let own = container.and_then(|container| container.label(label::PORT)?.parse().ok());
    own.or_else(|| in_container::port(&slot.process_type))
}

/// Merges one description over another, field by field.
fn lay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                lay(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (under, over) => *under = over,
    }
}

/// The variables of a service, overridden by those of the app. `PORT` comes from the Compose file, whose author
/// knows the image.
fn environment(of_file: &Value, ours: &Value, port: Option<u16>) -> Vec<String> {
    let name = |pair: &str| pair.split('=').next().unwrap_or(pair).to_owned();
    let texts = |pairs: &Value| -> Vec<String> {
        let all = pairs.as_array().into_iter().flatten();
        all.filter_map(|pair| pair.as_str().map(str::to_owned)).collect()
    };
    let ours: Vec<String> = texts(ours).into_iter().filter(|pair| name(pair) != "PORT").collect();
    let is_ours = |pair: &String| ours.iter().any(|other| name(other) == name(pair));
    let mut all: Vec<String> = texts(of_file).into_iter().filter(|pair| !is_ours(pair)).collect();
    if let Some(port) = port.filter(|_| !all.iter().any(|pair| name(pair) == "PORT")) {
        all.push(format!("PORT={port}"));
    }
    all.extend(ours);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_release_says_comes_over_what_the_file_says() {
        let mut under =
            json!({"User": "app", "HostConfig": {"Memory": 1, "Dns": ["x"]}, "Labels": {"a": "1"}});
        lay(
            &mut under,
            json!({"Image": "i", "User": null, "HostConfig": {"Memory": 2}, "Labels": {"b": "2"}}),
        );
        let meant = json!({"Image": "i", "User": "app", "HostConfig": {"Memory": 2, "Dns": ["x"]}, "Labels": {"a": "1", "b": "2"}});
        assert_eq!(under, meant);
    }

    #[test]
    fn the_variables_of_the_app_come_over_those_of_the_file_whose_port_counts() {
        let of_file = json!(["A=file", "B=file"]);
        let ours = json!(["A=app", "PORT=5000", "DYNO=web.1"]);
        assert_eq!(environment(&of_file, &ours, Some(80)), ["B=file", "PORT=80", "A=app", "DYNO=web.1"]);
        assert_eq!(environment(&json!(["PORT=1"]), &ours, Some(80)), ["PORT=1", "A=app", "DYNO=web.1"]);
        assert_eq!(environment(&Value::Null, &json!(["DYNO=db.1"]), None), ["DYNO=db.1"]);
    }
}
