//! The secret that has the environment of an app. A swarm's secrets cannot be changed, so each is named by a digest of what it has: a
//! verb that finds its secret there uses it, and another environment is another secret. What no service of the app refers to is removed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use formation::AppName;
use ps_engine::SwarmFault;
use ps_scheduler::Error;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::failed::{backend, of_swarm};
use crate::label;
use crate::manager::{Manager, PATIENCE, again};

/// The most that a secret of a swarm has, in bytes.
pub(crate) const LARGEST: usize = 500 * 1024;
/// How many bytes of the digest stand in a name.
const OF_DIGEST: usize = 8;
/// How much of the app's name stands in that of its secret, in bytes.
const OF_APP: usize = 40;

/// A secret that the swarm has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The secret of the app that has this content; it is made if there is none.
pub(crate) async fn ensured(manager: &Manager<'_>, content: &str) -> Result<Secret, Error> {
    let what = format!("make the secret with the environment of {}", manager.app);
    let name = name(manager.world, manager.app, content);
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(id) = of_app(manager, &what).await?.into_iter().find_map(|secret| secret.is(&name)) {
            return Ok(Secret { id, name });
        }
        let labels = json!({ label::WORLD: manager.world, label::APP: manager.app.as_str() });
        let spec = json!({ "Name": name, "Labels": labels, "Data": BASE64_STANDARD.encode(content) });
        match manager.engine.create_secret(&spec).await {
            Ok(_) => {}
            Err(fault) if fault.is_conflict() => {
                let reason = format!("{name} is there and not of this app: docker secret rm {name}");
                return Err(backend(&what, reason));
            }
            Err(fault) if manager.may_come(&fault) && Instant::now() < until => again().await,
            Err(fault) => return Err(of_swarm(&fault, &what)),
        }
    }
}

/// Removes the secrets of the app that no service of it refers to.
pub(crate) async fn collect(manager: &Manager<'_>) -> Result<(), Error> {
    let what = format!("remove the secrets of {} that nothing uses", manager.app);
    let there = of_app(manager, &what).await?;
    if there.is_empty() {
        return Ok(());
    }
    let labels = label::filter(manager.world, Some(manager.app));
    let filter: Vec<(&str, &str)> = labels.iter().map(|label| ("label", label.as_str())).collect();
    let services = manager.patiently(&what, || manager.engine.swarm_services(&filter, false)).await?;
    let used: BTreeSet<&str> = services.as_array().into_iter().flatten().flat_map(used_by).collect();
    for secret in there.iter().filter(|secret| !used.contains(secret.id.as_str())) {
        match manager.answered(|| manager.engine.remove_secret(&secret.id)).await? {
            // The swarm refuses to remove a secret that another service uses.
            Ok(()) | Err(SwarmFault::Refused(_)) => {}
            Err(fault) => return Err(of_swarm(&fault, &what)),
        }
    }
    Ok(())
}

impl Secret {
    fn read(json: &Value) -> Option<Self> {
        Some(Self { id: json["ID"].as_str()?.to_owned(), name: json["Spec"]["Name"].as_str()?.to_owned() })
    }

    fn is(self, name: &str) -> Option<String> {
        (self.name == name).then_some(self.id)
    }
}

async fn of_app(manager: &Manager<'_>, what: &str) -> Result<Vec<Secret>, Error> {
    let labels = label::filter(manager.world, Some(manager.app));
    let filter: Vec<(&str, &str)> = labels.iter().map(|label| ("label", label.as_str())).collect();
    let list = manager.patiently(what, || manager.engine.secrets(&filter)).await?;
    Ok(list.as_array().into_iter().flatten().filter_map(Secret::read).collect())
}

/// The ids of the secrets that a service refers to.
fn used_by(service: &Value) -> impl Iterator<Item = &str> {
    let secrets = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"].as_array();
    secrets.into_iter().flatten().filter_map(|secret| secret["SecretID"].as_str())
}

/// `shop-1f2e3d4c5b6a7988`. The digest is over all values together, so that none of them can be guessed from it alone.
fn name(world: &str, app: &AppName, content: &str) -> String {
    let digest = Sha256::new().chain_update(format!("{world} {app}\n")).chain_update(content).finalize();
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let app = app.as_str().chars().map(|c| if is_legal(c) { c } else { '-' });
    let mut name: String = app.take(OF_APP).chain(['-']).collect();
    for byte in digest.iter().take(OF_DIGEST) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_by_its_app_and_what_it_has_and_each_world_has_another() {
        let of = |world: &str, app: &str, content: &str| name(world, &app.parse().expect("a name"), content);
        let one = of("w", "my.shop", "export A='1'\n");
        assert!(one.starts_with("my-shop-") && one.len() == "my-shop-".len() + 2 * OF_DIGEST, "{one}");
        assert_eq!(one, of("w", "my.shop", "export A='1'\n"));
        for other in [
            of("w", "my.shop", ""),
            of("v", "my.shop", "export A='1'\n"),
            of("w", "my-shop", "export A='1'\n"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(of("w", &"x".repeat(60), "").len(), OF_APP + 1 + 2 * OF_DIGEST);
    }

    #[test]
    fn what_a_service_refers_to_is_in_use() {
        let service = json!({"Spec": {"TaskTemplate": {"ContainerSpec": {"Secrets": [{"SecretID": "a"}, {"SecretID": "b"}]}}}});
        assert_eq!(used_by(&service).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(used_by(&json!({"Spec": {}})).count(), 0);
    }
}
