//! The address of an app (docs/address.md) on this machine, before and after a rollout of its services. Whoever looks at the app while a
//! verb is under way has clients led along ([`Clients`]); between verbs `ps-lifecycle watch` does ([`crate::watch`]).

use formation::{AppName, FIRST_TYPE};
use ps_scheduler::{Cancel, Error, Moved, Progress, Release, Requester};
use ps_service::{Backend, Opened, Service};

use crate::clients::Clients;
use crate::instances::Nodes;
use crate::manager::{Manager, Seen};
use crate::published::{self, Published};
use crate::swarm::Swarm;
use crate::{backends, committed};

/// An address that was opened for a rollout.
pub(crate) struct Opening {
    opened: Opened,
    pub(crate) clients: Clients,
}

impl Opening {
    /// Before a rollout: listens where its release is to be reached, beside where the app is reached now. Where nothing of the app was
    /// committed here, clients stay where they are until it is. `None`: there is no address.
    pub(crate) fn of(swarm: &Swarm, release: &Release) -> Result<Option<Self>, Error> {
        let committed = committed::read(swarm.world(), &release.app)?;
        let service = Service::of(swarm.world(), &release.app, None);
        let Some(opened) = service.open(&release.reached())? else { return Ok(None) };
        match Clients::of_rollout(opened.service.clone(), committed.is_none()) {
            Ok(clients) => Ok(Some(Self { opened, clients })),
            Err(error) => {
                opened.put_back();
                Err(error)
            }
        }
    }

    /// After the rollout. What nobody could be asked about is reached where it was and where it was to be.
    pub(crate) fn conclude(
        self,
        failure: Option<&Error>,
        release: &Release,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        match failure {
            Some(Error::Unreachable { .. }) => return Ok(()),
            Some(_) => {
                self.opened.put_back();
                return Ok(());
            }
            None => (),
        }
        match self.clients.lead(self.clients.led(), false, requester.cancel) {
            Ok(led) => requester.tell_all(led.receipt.map(Progress::Receipt)),
            Err(Error::Cancelled) => (),
            Err(error) => {
                (requester.tell)(Progress::Note(format!("clients were not sent to the new tasks: {error}")));
            }
        }
        self.opened.settle(release.reached())
    }
}

/// Has a release that runs reached where it says now.
pub(crate) fn move_to(swarm: &Swarm, release: &Release) -> Result<Moved, Error> {
    let app = &release.app;
    if let Some(reason) = Service::of(swarm.world(), app, None).refusal_to_listen(release.reached()) {
        return Err(Error::Backend { context: format!("change the address of {app}"), reason });
    }
    let web = FIRST_TYPE.parse().expect("it is the name of a type");
    if let Some(reason) = published::refusal(release, &web) {
        return Err(Error::Backend { context: format!("change the address of {app}"), reason });
    }
    let cancel = Cancel::default();
    // Where nothing runs, the next start listens.
    let seen = look(swarm, app, &cancel)?.map(|(seen, _)| seen);
    let there = seen.as_ref().and_then(|seen| seen.service(&web)).filter(|service| service.replicas > 0);
    let Some(there) = there else { return Ok(Moved::Done) };
    if Published::of(release, &web).is_some() != published::has_ports(there) {
        return Ok(Moved::NeedsRollout);
    }
    reach(swarm, release, &cancel).map(|()| Moved::Done)
}

/// Has an app reached where its release says, and its clients led to its tasks as they are.
pub(crate) fn reach(swarm: &Swarm, release: &Release, cancel: &Cancel) -> Result<(), Error> {
    let service = Service::of(swarm.world(), &release.app, None);
    let Some(opened) = service.open(&release.reached())? else { return Ok(()) };
    let led = now(swarm, &release.app, cancel)
        .and_then(|backends| opened.service.redirect(&backends.unwrap_or_default(), false));
    if led.is_err() {
        opened.put_back();
        return led;
    }
    opened.settle(release.reached())
}

impl Swarm {
    /// Has the clients of an app's address led to its tasks as they are now. The caller holds the app's lock.
    ///
    /// # Errors
    /// No manager answers, or the supervisor cannot be told.
    pub fn redirect(&self, app: &AppName, cancel: &Cancel) -> Result<(), Error> {
        let Some(clients) = Clients::here(self.world(), app) else { return Ok(()) };
        match now(self, app, cancel)? {
            Some(backends) => clients.redirect(&backends),
            None => Ok(()),
        }
    }

    /// The same, and waits until what clients are led away from has no connection any more: it is about to end.
    ///
    /// # Errors
    /// As for [`Swarm::redirect`], and waiting was cancelled.
    pub fn take_clients(&self, app: &AppName, cancel: &Cancel) -> Result<(), Error> {
        let Some(clients) = Clients::here(self.world(), app) else { return Ok(()) };
        match now(self, app, cancel)? {
            Some(backends) => clients.lead(backends, false, cancel).map(drop),
            None => Ok(()),
        }
    }

    /// Whether something of the app was committed to the swarm, and not removed since.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn has_committed(&self, app: &AppName) -> Result<bool, Error> {
        committed::read(self.world(), app).map(|committed| committed.is_some())
    }
}

/// Where the clients of an app are to be led, as its tasks are now; `None`: nothing was ever deployed to a swarm from here.
fn now(swarm: &Swarm, app: &AppName, cancel: &Cancel) -> Result<Option<Vec<Backend>>, Error> {
    let looked = look(swarm, app, cancel)?;
    let led = Service::of(swarm.world(), app, None).led();
    Ok(looked.map(|(seen, nodes)| backends::of_app(&seen.services, &seen.tasks, &nodes, &led)))
}

fn look(swarm: &Swarm, app: &AppName, cancel: &Cancel) -> Result<Option<(Seen, Nodes)>, Error> {
    let Some(world) = swarm.known_id()? else { return Ok(None) };
    let engine = swarm.engine()?;
    let manager = Manager::new(engine, &world, app, cancel);
    engine.run(async { Ok(Some((manager.look().await?, manager.nodes().await?))) })
}
