//! The scheduler itself: the directories of its apps, and its engine.

use std::path::PathBuf;

use formation::AppName;
use ps_apps::World;
use ps_engine::{Engine, EngineCell};
use ps_scheduler::{Error, Progress};
use registry_logins::Logins;

use crate::failed::failed;
use crate::world_id;

/// The scheduler `swarm`.
pub struct Swarm {
    world: World,
    engine: EngineCell,
}

impl Swarm {
    /// The apps of a world on a swarm. The engine at `DOCKER_HOST`, or at `/var/run/docker.sock` without it, is one of the swarm's
    /// managers. It is not used before a verb needs it.
    pub fn new(world: &World) -> Self {
        Self { world: world.clone(), engine: EngineCell::default() }
    }

    /// The same, asked through the engine that listens on `socket`.
    pub fn at(world: &World, socket: impl Into<PathBuf>) -> Self {
        Self { world: world.clone(), engine: EngineCell::at(socket) }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// With what the registries of an app's images are asked. If the file cannot be read that has it, that is told.
    pub(crate) fn logins(&self, app: &AppName, tell: &mut dyn FnMut(Progress)) -> Logins {
        self.world.registry_logins(app).unwrap_or_else(|unread| {
            tell(Progress::Note(format!("{unread}: no registry gets credentials")));
            Logins::default()
        })
    }

    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        let host = || ps_apps::variable("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned());
        self.engine.get(host).map_err(|fault| failed(&fault, "find the swarm"))
    }

    /// The id of this world; `None` if nothing was ever deployed to a swarm from here.
    pub(crate) fn known_id(&self) -> Result<Option<String>, Error> {
        world_id::known(&self.world).map_err(|error| unreadable(&error))
    }

    pub(crate) fn ensured_id(&self) -> Result<String, Error> {
        world_id::ensured(&self.world).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &ps_apps::Error) -> Error {
    Error::Backend { context: "read which services are of this world".to_owned(), reason: error.to_string() }
}
