//! The name of an app's scheduler. Three schedulers are Formation's own; every other name belongs to a plugin of Dokku,
//! which answers the triggers `scheduler-…` for it.

use std::fmt;

use formation::AppName;

use crate::scope::Scope;
use crate::{Error, World};

/// The scheduler of an app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchedulerName {
    /// Processes under our own supervisor.
    Native,
    /// Containers on this machine's engine.
    DockerLocal,
    /// Services of the swarm that this machine's engine is a manager of.
    Swarm,
    /// A scheduler that Formation does not know, such as `k3s` or `nomad`, by the name that is stored.
    External(String),
}

impl SchedulerName {
    const NATIVE: &str = "native";
    const DOCKER_LOCAL: &str = "docker-local";
    const SWARM: &str = "swarm";

    /// The name that is stored, printed and passed to triggers.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Native => Self::NATIVE,
            Self::DockerLocal => Self::DOCKER_LOCAL,
            Self::Swarm => Self::SWARM,
            Self::External(name) => name,
        }
    }
}

impl From<&str> for SchedulerName {
    /// Any word is accepted as the name of a scheduler; only a call shows whether a plugin answers for it.
    fn from(word: &str) -> Self {
        match word {
            Self::NATIVE => Self::Native,
            Self::DOCKER_LOCAL => Self::DockerLocal,
            Self::SWARM => Self::Swarm,
            other => Self::External(other.to_owned()),
        }
    }
}

impl fmt::Display for SchedulerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl World {
    /// The app's scheduler: its own choice, else the global one, else the default. The default is `native` outside of
    /// Dokku, and `docker-local` inside Dokku, beside Dokku's core plugins, or if the app has `CONTAINER.*` files.
    pub fn scheduler_name(&self, app: &AppName) -> Result<SchedulerName, Error> {
        if let Some(own) = self.chosen_scheduler(Scope::App(app))? {
            return Ok(own);
        }
        let global = self.chosen_scheduler(Scope::Global)?;
        let is_dokku =
            || self.inside_dokku() || self.lib().join("core-plugins").is_dir() || self.has_containers(app);
        let fallback = || if is_dokku() { SchedulerName::DockerLocal } else { SchedulerName::Native };
        Ok(global.unwrap_or_else(fallback))
    }

    /// The scheduler that was chosen for one app, or for all apps without a choice of their own.
    pub fn chosen_scheduler(&self, scope: Scope<'_>) -> Result<Option<SchedulerName>, Error> {
        let stored = self.property("scheduler", scope, "selected")?.filter(|name| !name.is_empty());
        Ok(stored.map(|name| name.as_str().into()))
    }
}
