//! One container, as the engine's list has it.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ContainerSummary;
use formation::{Exit, State};

use crate::condition;

/// A container, as listed.
#[derive(Clone, Debug)]
pub struct Container {
    /// The full id.
    pub id: String,
    /// Its name, without the engine's leading slash.
    pub name: String,
    /// The state of its process.
    pub state: State,
    /// How its process ended, if it did.
    pub last_exit: Option<Exit>,
    /// Its address in the network that it was made in, or else in the first other network in which it has
    /// one.
    pub ip: Option<String>,
    /// Whether its process has ended and the engine will not start it again.
    pub is_over: bool,
    /// Whether its process was never started.
    pub is_new: bool,
    /// The name of its image, as it was given at creation.
    pub image: String,
    /// The id of its image, `sha256:…`.
    pub image_id: String,
    /// When it was made, counted from 1970.
    pub created: Duration,
    labels: HashMap<String, String>,
}

impl Container {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// Whether its process runs, or the engine is about to start it again.
    pub fn may_serve(&self) -> bool {
        self.state.is_alive() || self.state == State::Backoff
    }
}

impl From<ContainerSummary> for Container {
    fn from(summary: ContainerSummary) -> Self {
        let word = summary.state.map(|state| state.to_string()).unwrap_or_default();
        let (state, last_exit) = condition::read(&word, summary.status.as_deref().unwrap_or_default());
        let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        let networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let own = summary.host_config.and_then(|host| host.network_mode).unwrap_or_default();
        // In the order of their names, so that the same network is chosen each time.
        let mut networks: Vec<_> = networks.into_iter().collect();
        networks.sort_by(|(one, _), (other, _)| (*one != own, one).cmp(&(*other != own, other)));
        let addresses = networks.into_iter().filter_map(|(_, network)| network.ip_address);
        let ip = addresses.into_iter().find(|ip| !ip.is_empty());
        Self {
            id: summary.id.unwrap_or_default(),
            name: name.trim_start_matches('/').to_owned(),
            state,
            last_exit,
            ip,
            is_over: matches!(word.as_str(), "exited" | "dead"),
            is_new: word == "created",
            image: summary.image.unwrap_or_default(),
            image_id: summary.image_id.unwrap_or_default(),
            created: Duration::from_secs(
                summary.created.and_then(|seconds| seconds.try_into().ok()).unwrap_or(0),
            ),
            labels: summary.labels.unwrap_or_default(),
        }
    }
}
