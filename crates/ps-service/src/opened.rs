//! The address of an app whose instances are no processes of its supervisor, such as containers. The address is opened before a rollout, and
//! kept or put back afterwards. The scheduler that keeps the instances says which ones they are ([`Service::lead`]).

use std::net::SocketAddr;

use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_scheduler::{Error, Reached};
use ps_supervisor::Spec;

use crate::earlier;
use crate::reach::reached_by;
use crate::service::Service;

/// An address that was opened for a rollout.
#[derive(Debug)]
pub struct Opened {
    /// The service directory of the app.
    pub service: Service,
    /// The spec of the supervisor before the rollout; `None`: there was no supervisor.
    before: Option<Spec>,
}

impl Service {
    /// The service directory of an app, if the app has an address. Inside Dokku there is none: Dokku has its own proxies.
    pub fn with_address(world: &World, app: &AppName) -> Option<Self> {
        if world.inside_dokku() {
            return None;
        }
        let service = Self::of(world, app, None);
        let spec = service.spec_in_force()?;
        (!spec.listen.is_empty()).then_some(service)
    }

    /// Why these addresses could not be listened on; `None` if they can.
    pub fn refusal_to_listen(&self, wanted: Reached) -> Option<String> {
        let before = self.spec_in_force();
        let wanted = self.listening(before.as_ref(), wanted);
        ps_supervisor::address_refusal(&wanted, before.as_ref(), &self.directory)
    }

    /// Before a rollout: listens at the wanted addresses, in addition to the present ones. `None`: there are neither present nor wanted
    /// addresses.
    ///
    /// # Errors
    /// One of the addresses cannot be listened on. Then nothing has changed.
    pub fn open(self, wanted: &Reached) -> Result<Option<Opened>, Error> {
        let before = self.spec_in_force();
        let Reached { listen: known, mut frontend } = before.as_ref().map(reached_by).unwrap_or_default();
        let is_new = |address: &&SocketAddr| !known.as_slice().contains(address);
        let new: Vec<SocketAddr> = wanted.listen.as_slice().iter().filter(is_new).copied().collect();
        frontend.tls.extend(wanted.frontend.tls.iter().filter(|address| new.contains(address)));
        let listen = known.as_slice().iter().chain(&new).copied().collect();
        let all = Reached { listen, frontend };
        if all.listen.is_empty() || self.world.inside_dokku() {
            return Ok(None);
        }
        earlier::take_over(&self)?;
        let opened = Opened { service: self, before };
        let listens = opened.listen(all, !new.is_empty());
        if listens.is_err() {
            opened.put_back();
        }
        listens.map(|()| Some(opened))
    }

    /// Closes the address after all instances behind it have ended: nobody listens there any more. If the supervisor also keeps processes, nothing is
    /// done, because the scheduler of these processes closes the address.
    ///
    /// # Errors
    /// With `is_forgotten`, the files of the service could not be removed.
    pub fn close(&self, is_forgotten: bool) -> Result<(), Error> {
        if self.is_shared() {
            return Ok(());
        }
        self.end_idle();
        if is_forgotten { self.forget() } else { Ok(()) }
    }

    /// Whether the supervisor also keeps processes, because the app is moving from one scheduler to another.
    pub fn is_shared(&self) -> bool {
        self.spec_in_force().is_some_and(|spec| !spec.is_of_address())
    }

    /// Whether the app has moved from the scheduler `by` to another scheduler that directs clients through the supervisor, too.
    pub fn is_handed_over(&self, by: &SchedulerName) -> bool {
        let name = self.world.scheduler_name(&self.app);
        name.is_ok_and(|name| {
            name != *by && matches!(name, SchedulerName::DockerLocal | SchedulerName::Swarm)
        })
    }

    /// The spec for a supervisor that listens at `reached`.
    fn listening(&self, before: Option<&Spec>, reached: Reached) -> Spec {
        let new = || Spec::of_address(self.app.as_str(), &self.directory, Vec::new());
        self.reached_at(before.cloned().unwrap_or_else(new), reached)
    }
}

impl Opened {
    /// Has the supervisor listen at `reached` and nowhere else, if `is_other` or if there was no supervisor before.
    fn listen(&self, reached: Reached, is_other: bool) -> Result<(), Error> {
        let service = &self.service;
        if is_other || self.before.is_none() {
            service.make()?;
            service.write_spec(&service.listening(self.before.as_ref(), reached))?;
            service.apply()?;
        }
        Ok(())
    }

    /// The rollout has succeeded: the app is reached where its release says, and nowhere else.
    ///
    /// # Errors
    /// The supervisor cannot be told.
    pub fn settle(self, wanted: Reached) -> Result<(), Error> {
        if wanted.listen.is_empty() {
            return self.service.close(true);
        }
        let is_other = self.before.as_ref().is_some_and(|spec| reached_by(spec) != wanted);
        self.listen(wanted, is_other)
    }

    /// The rollout has failed: the app is reached where it was before.
    pub fn put_back(&self) {
        let Some(before) = &self.before else {
            // Files that cannot be removed now are removed by the next deploy.
            let _ = self.service.close(true);
            return;
        };
        if self.service.spec_in_force().is_some_and(|spec| reached_by(&spec) != reached_by(before)) {
            let _ = self.service.write_spec(before).and_then(|()| self.service.apply());
        }
    }
}
