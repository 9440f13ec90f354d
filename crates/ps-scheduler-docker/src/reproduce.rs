//! Describes a container like an existing one, to start the earlier release again after its container was told to end. It
//! is made from the engine's own description of that container, which may be Dokku's work.

use std::path::Path;

use formation::AppName;
use ps_engine::ContainerCreateBody;
use serde_json::Value;

use crate::label::{self, Identity};

/// The description of another container like the inspected one, from the same image.
pub(crate) fn container(
    mut inspected: Value,
    root: &Path,
    app: &AppName,
    identity: &Identity,
) -> Result<ContainerCreateBody, String> {
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
    Ok(body)
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
            "HostConfig": {"Init": true, "RestartPolicy": {"Name": "always"}, "Memory": 9},
        });
        let slot = "web.1".parse().expect("a legal slot");
        let identity = Identity { run: Run { slot, number: 8 }, release: 2, lane: Lane::Own };
        let body = container(inspected, Path::new("/r"), &"shop".parse().expect("a legal name"), &identity)
            .expect("a description");
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
