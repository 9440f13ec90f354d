//! The present address of an app (docs/address.md), as its supervisor has it, and the wanted one.

use std::time::{Duration, Instant};

use formation::Addresses;
use ps_scheduler::{Error, Reached};
use ps_supervisor::{Message, Request, Spec};

use crate::service::{Service, backend};

/// How long a supervisor may take to read its spec.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    /// The address of the app that its supervisor uses; if none runs, the one that the next supervisor will use.
    pub fn reached(&self) -> Reached {
        let spec = if self.world.inside_dokku() { None } else { self.spec_in_force() };
        spec.as_ref().map(reached_by).unwrap_or_default()
    }

    /// The addresses of the app, by the files in its directory; no process is asked.
    pub fn listens(&self) -> Addresses {
        let read = || Spec::read(&self.directory);
        let spec = (!self.world.inside_dokku()).then(read).and_then(Result::ok);
        spec.map(|spec| spec.listen.into_iter().collect()).unwrap_or_default()
    }

    /// A copy of a spec with this address.
    #[must_use]
    pub fn reached_at(&self, spec: Spec, reached: Reached) -> Spec {
        let Reached { listen, frontend } = reached;
        Spec { listen: listen.as_slice().to_vec(), frontend, certificates: self.certificates(), ..spec }
    }

    /// Tells a living supervisor to read its spec again. Without a supervisor nothing is done, because one reads the spec when it starts.
    ///
    /// # Errors
    /// The supervisor refuses, or does not confirm within ten seconds.
    pub fn apply(&self) -> Result<(), Error> {
        let Some(mut client) = self.connect() else { return Ok(()) };
        let died = |error: ps_supervisor::Error| self.unreachable(&error.to_string());
        client.send(&Request::Apply).map_err(died)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match client.next(deadline).map_err(died)? {
                Some(Message::Reply { error: None }) => return Ok(()),
                Some(Message::Reply { error: Some(reason) }) => {
                    return Err(backend(format!("change the address of {}", self.app), &reason));
                }
                Some(_) => (),
                None => {
                    let reason =
                        format!("its supervisor has not confirmed that within {} s", PATIENCE.as_secs());
                    return Err(self.unreachable(&reason));
                }
            }
        }
    }
}

/// The address of an app, by this spec.
pub fn reached_by(spec: &Spec) -> Reached {
    Reached { listen: spec.listen.iter().copied().collect(), frontend: spec.frontend.clone() }
}
