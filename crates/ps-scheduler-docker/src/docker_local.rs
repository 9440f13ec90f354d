//! The scheduler itself: the directories of its apps, and its engine.

use std::path::PathBuf;

use ps_apps::World;
use ps_engine::{Engine, EngineCell, Facts};
use ps_scheduler::Error;

use crate::failed::failed;

/// The scheduler `docker-local`.
pub struct DockerLocal {
    world: World,
    engine: EngineCell,
}

impl DockerLocal {
    /// The apps of a world on the engine that `DOCKER_HOST` names, or on `/var/run/docker.sock`
    /// without it. Neither the engine nor the environment is used before a verb needs it.
    pub fn new(world: &World) -> Self {
        Self { world: world.clone(), engine: EngineCell::default() }
    }

    /// The apps of a world on the engine that listens on `socket`.
    pub fn at(world: &World, socket: impl Into<PathBuf>) -> Self {
        Self { world: world.clone(), engine: EngineCell::at(socket) }
    }

    /// The version and the properties of the engine.
    pub fn facts(&self) -> Result<Facts, Error> {
        let engine = self.engine()?;
        engine.run(engine.facts()).map_err(|fault| failed(fault, "ask the engine what it is"))
    }

    /// Whether the engine has an image, by its id or name.
    pub fn has_image(&self, image: &str) -> Result<bool, Error> {
        let engine = self.engine()?;
        match engine.run(engine.image(image)) {
            Ok(_) => Ok(true),
            Err(fault) if fault.is_gone() => Ok(false),
            Err(fault) => Err(failed(fault, format!("look for the image {image}"))),
        }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        let host = || ps_apps::variable("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned());
        self.engine.get(host).map_err(|fault| failed(fault, ""))
    }
}
