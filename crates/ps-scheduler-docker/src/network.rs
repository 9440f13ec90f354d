//! The networks of containers: that of an app whose process types are the services of a Compose file, in which the
//! services find each other by name, and those that are set for a type.

use std::path::Path;

use formation::{AppName, Slot};
use ps_engine::{ContainerCreateBody, Endpoint, Engine, Fault, Networking};
use ps_scheduler::{Error, Release, Source};

use crate::app::App;
use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::label;

/// The engine's default network, which does not resolve container names.
pub(crate) const USUAL: &str = "bridge";

/// A network that a container is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) network: String,
    /// The names by which other containers find it in this network.
    pub(crate) aliases: Vec<String>,
}

impl Joined {
    /// The network, without names by which others find the container.
    pub(crate) fn unnamed(self) -> Self {
        Self { aliases: Vec::new(), ..self }
    }
}

/// The networks that the container of a slot is in; empty if it is only in the engine's default network. A container is made in the
/// first one, which is the app's own if it has one, and joins the others.
pub(crate) fn of_slot(root: &Path, release: &Release, slot: &Slot) -> Vec<Joined> {
    let (app, process_type) = (&release.app, &slot.process_type);
    // Other containers find the service by its name.
    let own = release.source.service(process_type).map(|_| Joined {
        network: name(root, app),
        aliases: vec![process_type.to_string(), format!("{app}.{slot}")],
    });
    // Other apps may use these networks, so the name of a type alone would not be unique.
    let set = release.settings(process_type).networks.iter().flat_map(type_settings::Networks::iter);
    let set = set.map(|network| Joined {
        network: network.to_owned(),
        aliases: match network {
            USUAL => Vec::new(),
            _ => vec![format!("{app}.{process_type}"), format!("{app}.{slot}")],
        },
    });
    own.into_iter().chain(set).collect()
}

/// Has the container be made in the first of these networks.
pub(crate) fn made_in(joined: &[Joined], body: &mut ContainerCreateBody) {
    let Some(Joined { network, aliases }) = joined.first() else { return };
    if let Some(host) = &mut body.host_config {
        host.network_mode = Some(network.clone());
    }
    let endpoint = Endpoint { aliases: Some(aliases.clone()), ..Endpoint::default() };
    body.networking_config =
        Some(Networking { endpoints_config: Some([(network.clone(), endpoint)].into()) });
}

/// Has an existing container join all but the first of these networks.
pub(crate) async fn join(engine: &Engine, id: &str, joined: &[Joined]) -> Result<(), (String, Fault)> {
    for Joined { network, aliases } in joined.iter().skip(1) {
        let in_it = engine.join_network(network, id, aliases).await;
        in_it.map_err(|fault| (format!("cannot join the network {network}"), fault))?;
    }
    Ok(())
}

/// The network's name, which differs between two worlds on one engine.
pub(crate) fn name(root: &Path, app: &AppName) -> String {
    format!("formation-{app}-{:08x}", label::fold(&root.display().to_string()) & 0xffff_ffff)
}

impl App<'_> {
    /// Makes the network if the release needs one and it does not exist.
    pub(crate) fn ensure_network(&self, release: &Release) -> Result<(), Error> {
        let Source::Services(_) = &release.source else { return Ok(()) };
        let name = name(self.world.root(), self.name);
        let labels = [label::of_app(self.world.root(), self.name)].into();
        let made = self.engine.run(self.engine.make_network(&name, labels));
        made.map_err(|fault| self.error(fault, &format!("make the network {name}")))
    }
}

impl DockerLocal {
    /// Removes the network of an app. A network that no longer exists, or that other containers use, is left alone.
    pub(crate) fn remove_network(&self, app: &AppName) -> Result<(), Error> {
        let engine = self.engine()?;
        let name = name(self.world().root(), app);
        match engine.run(engine.remove_network(&name)) {
            Ok(()) | Err(Fault::Refused { .. }) => Ok(()),
            Err(fault) => Err(failed(fault, format!("remove the network {name}"))),
        }
    }
}
