//! Networks of the engine.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::NetworkCreateRequest;

use crate::deadline::SHORT;
use crate::{Engine, Fault};

/// For calls that change the host's own network.
const HEAVY: Duration = Duration::from_secs(60);

impl Engine {
    /// Makes a network in which containers find each other by name. One that is there is success.
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

    /// Removes a network. One that is gone is success.
    pub async fn remove_network(&self, name: &str) -> Result<(), Fault> {
        match self.within("remove a network", HEAVY, self.docker.remove_network(name)).await {
            Err(fault) if fault.is_gone() => Ok(()),
            result => result,
        }
    }
}
