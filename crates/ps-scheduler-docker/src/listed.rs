//! One row of the engine's list of containers, as far as it concerns us.

use std::collections::HashMap;

use bollard::models::ContainerSummary;
use formation::{Exit, State};

use crate::{condition, label};

/// A container, as listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// The full id.
    pub(crate) id: String,
    /// Its name, without the engine's leading slash.
    pub(crate) name: String,
    /// What it is doing.
    pub(crate) state: State,
    /// How it ended, if it did.
    pub(crate) last_exit: Option<Exit>,
    /// Its address on the first network that gave it one.
    pub(crate) ip: Option<String>,
    /// Whether its process has ended and nothing will start it again.
    pub(crate) is_over: bool,
    labels: HashMap<String, String>,
}

impl Listed {
    /// The app it belongs to.
    pub(crate) fn app(&self) -> Option<&str> {
        self.labels.get(label::APP).map(String::as_str)
    }

    /// Whether it had not passed its checks when it was listed, as its name says.
    pub(crate) fn is_upcoming(&self) -> bool {
        label::is_upcoming(&self.name)
    }
}

impl From<ContainerSummary> for Listed {
    fn from(summary: ContainerSummary) -> Self {
        let word = summary.state.map(|state| state.to_string()).unwrap_or_default();
        let (state, last_exit) = condition::read(&word, summary.status.as_deref().unwrap_or_default());
        let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        let networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let ip = networks.into_values().filter_map(|network| network.ip_address).find(|ip| !ip.is_empty());
        Self {
            id: summary.id.unwrap_or_default(),
            name: name.trim_start_matches('/').to_owned(),
            state,
            last_exit,
            ip,
            is_over: matches!(word.as_str(), "exited" | "dead"),
            labels: summary.labels.unwrap_or_default(),
        }
    }
}
