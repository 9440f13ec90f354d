//! docker-local: the instances of apps as containers of the Docker engine of this machine, one container a slot,
//! recorded in files as Dokku records them. Synchronous outside; inside, one thread and `ps-engine`. It never pulls an
//! image, never talks to an engine elsewhere, and never touches a container of another world.

mod app;
mod blueprint;
mod carry_out;
mod clock;
mod containers;
mod deploy;
mod failed;
mod found;
mod image_file;
mod inspect;
mod label;
mod logs;
mod look;
mod processes;
mod recover;
mod reproduce;
mod retire;
mod rollout_file;
mod stand_in;
mod status;
mod stop;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::OnceLock;

use ps_apps::World;
use ps_engine::Engine;
use ps_rollout::Strategy;
use ps_scheduler::{
    AppStatus, DeployOutcome, Error, LogLine, LogRequest, Plan, Scheduler, StopOrder, Stopped, Watch,
};

use crate::failed::failed;

/// The scheduler `docker-local`.
pub struct DockerLocal {
    world: World,
    socket: Option<PathBuf>,
    engine: OnceLock<Engine>,
}

impl DockerLocal {
    /// The apps of `world` on the engine that `DOCKER_HOST` names, else on `/var/run/docker.sock`. Nothing is asked
    /// of the engine, or of the environment, before a verb needs it.
    pub fn new(world: &World) -> Self {
        Self { world: world.clone(), socket: None, engine: OnceLock::new() }
    }

    /// The apps of `world` on the engine that listens on `socket`.
    pub fn at(world: &World, socket: impl Into<PathBuf>) -> Self {
        Self { socket: Some(socket.into()), ..Self::new(world) }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let socket = if let Some(socket) = &self.socket {
            socket.clone()
        } else {
            let host = ps_apps::variable("DOCKER_HOST");
            let host = host.map(|host| host.to_string_lossy().into_owned());
            ps_engine::socket(host.as_deref()).map_err(|fault| failed(fault, ""))?
        };
        let engine = Engine::new(socket).map_err(|fault| failed(fault, ""))?;
        Ok(self.engine.get_or_init(|| engine))
    }
}

impl Scheduler for DockerLocal {
    fn name(&self) -> &'static str {
        "docker-local"
    }

    /// A container has an address of its own, so that old and new can stand side by side.
    fn usual_strategy(&self) -> Strategy {
        Strategy::Overlap
    }

    fn status(&self, apps: &[String]) -> Result<Vec<AppStatus>, Error> {
        status::status(self, apps)
    }

    fn deploy(&self, plan: &Plan, watch: &mut Watch<'_>) -> Result<DeployOutcome, Error> {
        deploy::deploy(self, plan, watch)
    }

    fn tend(&self, plan: &Plan, watch: &mut Watch<'_>) -> Result<(), Error> {
        deploy::tend(self, plan, watch)
    }

    fn stop(&self, order: &StopOrder, watch: &mut Watch<'_>) -> Result<Stopped, Error> {
        stop::stop(self, order, watch)
    }

    fn inspect(&self, app: &str) -> Result<serde_json::Value, Error> {
        inspect::inspect(self, app)
    }

    fn logs(
        &self,
        request: &LogRequest,
        sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        logs::logs(self, request, sink)
    }

    fn retire(&self, app: Option<&str>) -> Result<Vec<String>, Error> {
        retire::retire(self, app)
    }
}
