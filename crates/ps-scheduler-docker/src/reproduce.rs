//! Describes a container like an existing one, to start the earlier release again after its container was told to end. The
//! description is made from the engine's own description of that container, which Dokku may have made.

use std::path::Path;

use formation::AppName;
use ps_engine::ContainerCreateBody;
use serde_json::Value;

use crate::label::{self, Identity};
use crate::network::{self, Joined};

/// The description of another container like the inspected one, from the same image, and the networks that it was in.
pub(crate) fn container(
    mut inspected: Value,
    root: &Path,
    app: &AppName,
    identity: &Identity,
) -> Result<(ContainerCreateBody, Vec<Joined>), String> {
    let id = inspected["Id"].as_str().unwrap_or_default().to_owned();
    let mut body = inspected["Config"].take();
    // The engine makes up a host name from the container's id. The new container gets its own.
    let host = body["Hostname"].as_str().filter(|host| !host.is_empty() && id.starts_with(host));
    if host.is_some() {
        body["Hostname"] = Value::Null;
    }
    body["Image"] = inspected["Image"].take();
    body["HostConfig"] = inspected["HostConfig"].take();
    body["HostConfig"]["RestartPolicy"] = Value::Null;
    let mut body: ContainerCreateBody = serde_json::from_value(body).map_err(|error| error.to_string())?;
    body.labels.get_or_insert_default().extend(label::labels(root, app, identity));
    let own = body.host_config.as_ref().and_then(|host| host.network_mode.clone()).unwrap_or_default();
    Ok((body, networks(&inspected["NetworkSettings"]["Networks"], &own, &id)))
}

/// The networks of the inspected container, beginning with the one that it was made in; empty if it is only in the engine's
/// default network.
fn networks(inspected: &Value, own: &str, id: &str) -> Vec<Joined> {
    // The engine adds the beginning of the id to the names of a container.
    let is_given = |alias: &&str| !id.starts_with(alias);
    let joined = |(network, endpoint): (&String, &Value)| {
        let aliases = endpoint["Aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Joined { network: network.clone(), aliases: aliases.filter(is_given).map(str::to_owned).collect() }
    };
    let is_usual = |name: &str| matches!(name, "" | "default" | network::USUAL);
    let mut all: Vec<Joined> = inspected.as_object().into_iter().flatten().map(joined).collect();
    all.sort_by_key(|joined| joined.network != own && !(is_usual(own) && is_usual(&joined.network)));
    let is_elsewhere = own == "host" || own == "none" || own.starts_with("container:");
    let is_only_usual = all.iter().all(|joined| is_usual(&joined.network));
    if is_elsewhere || is_only_usual { Vec::new() } else { all }
}

#[cfg(test)]
mod tests {
    use ps_rollout::{Lane, Run};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_container_has_everything_of_the_one_before_but_its_identity() {
        let inspected = json!({
            "Id": "0123456789abcdef",
            "Image": "sha256:42",
            "Config": {
                "Hostname": "0123456789ab", "Image": "shop:latest", "Cmd": ["/bin/sh", "-c", "x"],
                "Env": ["A=1"], "Labels": {"com.formation.run": "3", "mine": "yes"}, "StopTimeout": 7,
            },
            "HostConfig": {"Init": true, "RestartPolicy": {"Name": "always"}, "Memory": 9, "NetworkMode": "shop"},
            "NetworkSettings": {"Networks": {
                "front": {"Aliases": ["shop.web", "0123456789ab"]}, "shop": {"Aliases": ["web", "0123456789ab"]},
            }},
        });
        let slot = "web.1".parse().expect("a legal slot");
        let identity = Identity { run: Run { slot, number: 8 }, release: 2, lane: Lane::Own };
        let (body, networks) =
            container(inspected, Path::new("/r"), &"shop".parse().expect("a legal name"), &identity)
                .expect("a description");
        let joined =
            |network: &str, alias: &str| Joined { network: network.into(), aliases: vec![alias.into()] };
        assert_eq!(networks, [joined("shop", "web"), joined("front", "shop.web")]);
        assert_eq!(body.image.as_deref(), Some("sha256:42"));
        assert_eq!((body.hostname, body.stop_timeout), (None, Some(7)));
        let labels = body.labels.expect("labels");
        assert_eq!((labels["com.formation.run"].as_str(), labels["mine"].as_str()), ("8", "yes"));
        let host = body.host_config.expect("a host configuration");
        assert_eq!((host.init, host.memory, host.restart_policy), (Some(true), Some(9), None));
    }

    #[test]
    fn a_description_that_is_none_is_refused() {
        let slot = "web.1".parse().expect("a legal slot");
        let identity = Identity { run: Run { slot, number: 8 }, release: 2, lane: Lane::Own };
        let inspected = json!({ "Config": { "Env": "A=1" } });
        assert!(
            container(inspected, Path::new("/r"), &"shop".parse().expect("a legal name"), &identity).is_err()
        );
    }
}
