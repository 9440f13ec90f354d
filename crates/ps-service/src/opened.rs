//! The address of an app whose instances are no processes of its supervisor, such as containers: opened before a rollout, and settled or put
//! back after it. Who the instances are says the scheduler that keeps them ([`Service::lead`]).

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
    /// Where the app's supervisor is.
    pub service: Service,
    /// What its supervisor went by before; `None`: there was none.
    before: Option<Spec>,
}

impl Service {
    /// That of an app, if it has an address. Inside Dokku proxies are Dokku's.
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

    /// Before a rollout: listens where its release is to be reached, beside where the app is reached now. `None`: neither is anywhere.
    ///
    /// # Errors
    /// One of the addresses cannot be listened on. Nothing has changed then.
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

    /// Whether its supervisor also keeps processes: the app moves from one scheduler to another.
    pub fn is_shared(&self) -> bool {
        self.spec_in_force().is_some_and(|spec| !spec.is_of_address())
    }

    /// Whether the app has moved from this scheduler to another one whose instances are no processes of the supervisor either, and that
    /// leads the clients by now.
    pub fn is_handed_over(&self, by: &SchedulerName) -> bool {
        let name = self.world.scheduler_name(&self.app);
        name.is_ok_and(|name| {
            name != *by && matches!(name, SchedulerName::DockerLocal | SchedulerName::Swarm)
        })
    }

    /// What the supervisor goes by, for an app that is reached there.
    fn listening(&self, before: Option<&Spec>, reached: Reached) -> Spec {
        let new = || Spec::of_address(self.app.as_str(), &self.directory, Vec::new());
        self.reached_at(before.cloned().unwrap_or_else(new), reached)
    }
}

impl Opened {
    /// Listens there and nowhere else.
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
