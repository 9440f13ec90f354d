//! An engine that is looked up only when it is needed: a verb that makes no call needs no engine, and reads no
//! variable.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::{Engine, Fault, socket};

/// The engine of a scheduler.
#[derive(Default)]
pub struct EngineCell {
    socket: Option<PathBuf>,
    engine: OnceLock<Engine>,
}

impl EngineCell {
    /// The engine that listens on `socket`.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: Some(socket.into()), ..Self::default() }
    }

    /// The engine, which is the one that `docker_host` names if no other was chosen before.
    ///
    /// # Errors
    /// `docker_host` names one elsewhere, or the client could not be set up. Nothing is sent.
    pub fn get(&self, docker_host: impl FnOnce() -> Option<String>) -> Result<&Engine, Fault> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let path = match &self.socket {
            Some(path) => path.clone(),
            None => socket(docker_host().as_deref())?,
        };
        let engine = Engine::new(path)?;
        Ok(self.engine.get_or_init(|| engine))
    }
}
