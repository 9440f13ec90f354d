//! The address of an app (docs/supervisor.md#the-address). The app's supervisor, which keeps no process here, listens there and passes
//! connections on to the containers of `web`. It is told whenever these change. If a proxy has a hook, the proxy is told as well
//! (`clients`).

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use formation::{AppName, FIRST_TYPE, Slot};
use futures_util::FutureExt;
use futures_util::future::Shared;
use ps_apps::{InstanceFiles, SchedulerName, World};
use ps_engine::Container;
use ps_scheduler::{Error, Progress, Release, Requester};
use ps_service::{Backend, Led, Opened, Service, backend as failed};
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

/// The operation that directs clients to containers. It completes when they are directed, with the effect on the clients, or with the
/// reason why it failed.
pub(crate) type Leading = Shared<Pin<Box<dyn Future<Output = Result<Led, String>>>>>;

/// The address of an app.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    service: Service,
}

impl Address {
    /// The address of an app, if it has one.
    pub(crate) fn of(world: &World, name: &AppName) -> Option<Self> {
        Service::with_address(world, name).map(|service| Self { service })
    }

    /// Before a rollout: listens at the addresses of the new release, in addition to the present ones, and directs clients to the present
    /// containers. `None`: there are neither new nor present addresses.
    pub(crate) fn open(
        app: &App<'_>,
        release: &Release,
        records: &InstanceFiles,
    ) -> Result<Option<Opened>, Error> {
        let service = Service::of(app.world, app.name, None);
        let Some(opened) = service.open(&release.reached())? else { return Ok(None) };
        let there = backends(app, records, &[]);
        let led = there.and_then(|there| opened.service.lead(&there, true).map(drop));
        if led.is_err() {
            opened.put_back();
        }
        led.map(|()| Some(opened))
    }

    /// Begins to direct clients to these containers, and away from others, in a rollout. If the supervisor dies meanwhile, another one is
    /// started.
    pub(crate) fn lead(&self, backends: Vec<Backend>) -> Leading {
        self.lead_from(backends, false)
    }

    fn lead_from(&self, backends: Vec<Backend>, begins: bool) -> Leading {
        let (tell, told) = oneshot::channel();
        let service = self.service.clone();
        thread::spawn(move || {
            // The receiver may have given up waiting.
            let _ = tell.send(service.lead(&backends, begins).map_err(|error| error.to_string()));
        });
        let told =
            told.map(|led| led.unwrap_or_else(|_| Err("the thread that was to do so has died".to_owned())));
        (Box::pin(told) as Pin<Box<dyn Future<Output = _>>>).shared()
    }

    /// Directs clients outside of a rollout, and waits until that is done or the verb is cancelled.
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
        let led = led.map_err(|reason| {
            failed(format!("send the clients of {} to its instances", app.name), &reason)
        })?;
        if let Some(receipt) = led.receipt {
            (requester.tell)(Progress::Receipt(receipt));
        }
        Ok(())
    }

    /// Stops listening at the app's address, because every instance behind it has ended. If another scheduler has taken over the
    /// address, nothing is done.
    pub(crate) fn close(&self, is_forgotten: bool) -> Result<(), Error> {
        if self.is_handed_over() { Ok(()) } else { self.service.close(is_forgotten) }
    }

    /// Whether the app's supervisor also keeps processes, because the app is moving from one scheduler to another.
    pub(crate) fn is_shared(&self) -> bool {
        self.service.is_shared()
    }

    /// Whether another scheduler directs the app's clients by now.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.service.is_handed_over(&SchedulerName::DockerLocal)
    }
}

/// The containers of `web` to which clients are to be directed: those that are recorded, and run or are about to be restarted by the
/// engine, except those of the given slots. If no container is recorded yet, the app is moving from another scheduler, and clients stay
/// with the instances of that one.
pub(crate) fn backends(
    app: &App<'_>,
    records: &InstanceFiles,
    without: &[Slot],
) -> Result<Vec<Backend>, Error> {
    if records.slots.is_empty() {
        return Ok(Service::of(app.world, app.name, None).led());
    }
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

/// The engine may give a container that it restarts another address; one that does not run at this moment has none.
fn ip(container: &Container, recorded: Option<&str>) -> Option<IpAddr> {
    container.ip.as_deref().or(recorded)?.parse().ok()
}
