//! The address of an app (docs/supervisor.md#the-address). The app's supervisor, which keeps no process here, listens
//! there and passes connections on to the containers of `web`. It is told of them whenever they change. If a proxy has
//! a hook, the proxy is told as well (`clients`).

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use formation::{Addresses, AppName, FIRST_TYPE, Slot};
use futures_util::FutureExt;
use futures_util::future::Shared;
use ps_apps::{InstanceFiles, World};
use ps_engine::Container;
use ps_scheduler::{Error, Progress, Reached, Release, Requester};
use ps_service::{Backend, Led, Service, backend as failed, earlier, reached_by};
use ps_supervisor::Spec;
use tokio::sync::oneshot;

use crate::app::App;
use crate::label;
use crate::watch_file::Watched;

/// The share of each container.
const WEIGHT: u32 = 100;
/// The length of an id of a container that is short enough for people.
const SHORT: usize = 12;
/// The pause between two looks at whether waiting was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// Clients are being led; ends when they are, with what that has meant for them, or with why they are not.
pub(crate) type Leading = Shared<Pin<Box<dyn Future<Output = Result<Led, String>>>>>;

/// The address that an app has.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    service: Service,
}

/// One that was opened for a rollout.
#[derive(Debug)]
pub(crate) struct Opened {
    address: Address,
    /// What its supervisor went by before; `None`: there was none.
    before: Option<Spec>,
}

impl Address {
    /// That of an app, if it has one. Inside Dokku proxies are Dokku's.
    pub(crate) fn of(world: &World, name: &AppName) -> Option<Self> {
        if world.inside_dokku() {
            return None;
        }
        let service = Service::of(world, name, None);
        let spec = service.spec_in_force()?;
        (!spec.listen.is_empty()).then_some(Self { service })
    }

    /// Why the addresses of a release could not be listened on.
    pub(crate) fn refusal(world: &World, release: &Release) -> Option<String> {
        let service = Service::of(world, &release.app, None);
        let before = service.spec_in_force();
        let wanted = listening(&service, before.as_ref(), release.reached());
        ps_supervisor::address_refusal(&wanted, before.as_ref(), &service.directory)
    }

    /// Before a rollout: listens where its release is to be reached, beside where the app is reached now, and has the containers that
    /// there are led to. `None`: neither is anywhere.
    pub(crate) fn open(
        app: &App<'_>,
        release: &Release,
        records: &InstanceFiles,
    ) -> Result<Option<Opened>, Error> {
        let service = Service::of(app.world, app.name, None);
        let before = service.spec_in_force();
        let Reached { listen: known, mut frontend } = before.as_ref().map(reached_by).unwrap_or_default();
        let is_new = |address: &&SocketAddr| !known.as_slice().contains(address);
        let new: Vec<SocketAddr> = release.listen.as_slice().iter().filter(is_new).copied().collect();
        frontend.tls.extend(release.frontend.tls.iter().filter(|address| new.contains(address)));
        let listen = known.as_slice().iter().chain(&new).copied().collect();
        let all = Reached { listen, frontend };
        if all.listen.is_empty() || app.world.inside_dokku() {
            return Ok(None);
        }
        earlier::take_over(&service)?;
        let opened = Opened { address: Self { service }, before };
        let ran = opened.listen(all, !new.is_empty()).and_then(|()| {
            let there = backends(app, records, &[])?;
            opened.address.service.lead(&there, true).map(drop)
        });
        if ran.is_err() {
            opened.put_back();
        }
        ran.map(|()| Some(opened))
    }

    /// Begins to lead clients to these, and away from others, in a rollout. A supervisor that dies meanwhile is followed by another one.
    pub(crate) fn lead(&self, backends: Vec<Backend>) -> Leading {
        self.lead_from(backends, false)
    }

    fn lead_from(&self, backends: Vec<Backend>, begins: bool) -> Leading {
        let (tell, told) = oneshot::channel();
        let service = self.service.clone();
        thread::spawn(move || {
            // Whoever has waited may have given up.
            let _ = tell.send(service.lead(&backends, begins).map_err(|error| error.to_string()));
        });
        let told = told.map(|led| led.unwrap_or_else(|_| Err("whoever was to do so has died".to_owned())));
        (Box::pin(told) as Pin<Box<dyn Future<Output = _>>>).shared()
    }

    /// Leads them by itself, and waits until they are led, or waiting is cancelled.
    pub(crate) fn lead_now(
        &self,
        app: &App<'_>,
        backends: Vec<Backend>,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        let leading = self.lead_from(backends, true);
        let led = loop {
            requester.cancel.check()?;
            let look = async { tokio::time::timeout(LOOK, leading.clone()).await };
            if let Ok(led) = app.engine.run(look) {
                break led;
            }
        };
        let led = led.map_err(|reason| failed(format!("lead the clients of {}", app.name), &reason))?;
        if let Some(receipt) = led.receipt {
            (requester.tell)(Progress::Receipt(receipt));
        }
        Ok(())
    }

    /// Everything that was reached there has ended: nobody listens any more. One whose supervisor also keeps processes is left to the
    /// scheduler of these.
    pub(crate) fn close(&self, is_forgotten: bool) -> Result<(), Error> {
        if self.is_shared() {
            return Ok(());
        }
        self.service.end_idle();
        if is_forgotten { self.service.forget() } else { Ok(()) }
    }

    /// Whether its supervisor also keeps processes: the app moves from one scheduler to another.
    pub(crate) fn is_shared(&self) -> bool {
        self.service.spec_in_force().is_some_and(|spec| !spec.is_of_address())
    }
}

impl Opened {
    /// Listens there and nowhere else.
    fn listen(&self, reached: Reached, is_other: bool) -> Result<(), Error> {
        let service = &self.address.service;
        if is_other || self.before.is_none() {
            service.make()?;
            service.write_spec(&listening(service, self.before.as_ref(), reached))?;
            service.apply()?;
        }
        Ok(())
    }

    /// The rollout has succeeded: the app is reached where its release says, and nowhere else.
    pub(crate) fn settle(self, release: &Release) -> Result<(), Error> {
        if release.listen.is_empty() {
            return self.address.close(true);
        }
        let wanted = release.reached();
        let is_other = self.before.as_ref().is_some_and(|spec| reached_by(spec) != wanted);
        self.listen(wanted, is_other)
    }

    /// The rollout has failed: the app is reached where it was before.
    pub(crate) fn put_back(&self) {
        let Some(before) = &self.before else {
            // What cannot be removed is found by the next deploy.
            let _ = self.address.close(true);
            return;
        };
        let service = &self.address.service;
        if service.spec_in_force().is_some_and(|spec| reached_by(&spec) != reached_by(before)) {
            let _ = service.write_spec(before).and_then(|()| service.apply());
        }
    }
}

/// Where an app is reached, and how clients are taken in there.
pub(crate) fn reached(world: &World, name: &AppName) -> Reached {
    Service::of(world, name, None).reached()
}

/// Where an app is reached, by what its supervisor goes by: nobody is asked.
pub(crate) fn listen(world: &World, name: &AppName) -> Addresses {
    let read = || Spec::read(&Service::of(world, name, None).directory);
    let spec = (!world.inside_dokku()).then(read).and_then(Result::ok);
    spec.map(|spec| spec.listen.into_iter().collect()).unwrap_or_default()
}

/// What the supervisor goes by, for an app that is reached there.
fn listening(service: &Service, before: Option<&Spec>, reached: Reached) -> Spec {
    let new = || Spec::of_address(service.app.as_str(), &service.directory, Vec::new());
    service.reached_at(before.cloned().unwrap_or_else(new), reached)
}

/// The containers of `web` that clients are to be led to: those that are recorded and run, or are about to be started again by the engine,
/// without these.
pub(crate) fn backends(
    app: &App<'_>,
    records: &InstanceFiles,
    without: &[Slot],
) -> Result<Vec<Backend>, Error> {
    let listed = app.engine.run(app.listed(records))?;
    let watched = Watched::read(app.world, app.name);
    let is_meant = |slot: &Slot| slot.process_type.as_str() == FIRST_TYPE && !without.contains(slot);
    let recorded = records.slots.iter().filter(|(slot, _)| is_meant(slot));
    let backend = recorded.filter_map(|(slot, record)| {
        let id = record.id.as_deref()?;
        let container = listed.iter().find(|container| container.id == id && container.may_serve())?;
        let address = SocketAddr::new(ip(container, record.ip.as_deref())?, record.port?);
        let weight = if watched.withdrawn(slot, id).is_some() { 0 } else { WEIGHT };
        let id = format!("{slot}:{}", id.get(..SHORT).unwrap_or(id));
        Some(Backend { id, address, weight, release: label::release(container) })
    });
    Ok(backend.collect())
}

/// The engine gives a container that it starts again another address perhaps; one that does not run at this moment has none.
fn ip(container: &Container, recorded: Option<&str>) -> Option<IpAddr> {
    container.ip.as_deref().or(recorded)?.parse().ok()
}
