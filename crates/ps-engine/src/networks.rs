//! Networks of the engine.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkCreateRequest};

use crate::deadline::SHORT;
use crate::{Engine, Fault};

/// The engine's status for a change that has been made already.
const FORBIDDEN: u16 = 403;
/// The deadline of calls that change the host's own network.
const HEAVY: Duration = Duration::from_secs(60);

impl Engine {
    /// Creates a network in which containers find each other by name. An existing network is no error.
    pub async fn make_network(&self, name: &str, labels: HashMap<String, String>) -> Result<(), Fault> {
        let looked = self.within("describe a network", SHORT, self.docker.inspect_network(name, None)).await;
        match looked {
            Ok(_) => return Ok(()),
            Err(fault) if fault.is_gone() => {}
            Err(fault) => return Err(fault),
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some(labels),
            ..NetworkCreateRequest::default()
        };
        match self.within("make a network", HEAVY, self.docker.create_network(request)).await {
            Err(fault) if fault.is_conflict() => Ok(()),
            result => result.map(drop),
        }
    }

    /// Whether there is a network of this name.
    pub async fn has_network(&self, name: &str) -> Result<bool, Fault> {
        match self.within("describe a network", SHORT, self.docker.inspect_network(name, None)).await {
            // The engine also takes the beginning of an id.
            Ok(found) => Ok(found.name.as_deref() == Some(name)),
            Err(fault) if fault.is_gone() => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Has a container join a network, where others find it by these names too. If it is in the network
    /// already, that is no error.
    pub async fn join_network(&self, name: &str, id: &str, aliases: &[String]) -> Result<(), Fault> {
        let endpoint = EndpointSettings { aliases: Some(aliases.to_vec()), ..EndpointSettings::default() };
        let request = NetworkConnectRequest { container: id.to_owned(), endpoint_config: Some(endpoint) };
        match self.within("join a network", HEAVY, self.docker.connect_network(name, request)).await {
            Err(Fault::Refused { status: FORBIDDEN, message, .. }) if message.contains("already exists") => {
                Ok(())
            }
            result => result,
        }
    }

    /// Removes a network. A missing network is no error.
    pub async fn remove_network(&self, name: &str) -> Result<(), Fault> {
        match self.within("remove a network", HEAVY, self.docker.remove_network(name)).await {
            Err(fault) if fault.is_gone() => Ok(()),
            result => result,
        }
    }
}
