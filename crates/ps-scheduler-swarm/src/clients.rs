//! The clients of an app that has an address (docs/address.md), as one verb leads them: its supervisor, which keeps no process, listens on
//! this machine, and is told of the tasks whenever a look shows others.

use std::cell::{Cell, RefCell};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_scheduler::{Cancel, Error, Progress, Requester};
use ps_service::{Backend, Led, Service};

use crate::failed::backend as failed;

/// The pause between two looks at whether waiting was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// The clients of an app that has an address.
pub(crate) struct Clients {
    service: Service,
    /// Where they were led last; `None`: not from here.
    told: RefCell<Option<Vec<Backend>>>,
    /// Whether they stay where they are: nothing of the app is proved yet on this swarm.
    is_staying: Cell<bool>,
}

impl Clients {
    /// Those of an app whose address is listened on. What is counted from here on is of a rollout. `are_staying`: they stay where they
    /// are for now.
    pub(crate) fn of_rollout(service: Service, are_staying: bool) -> Result<Self, Error> {
        service.redirect(&service.led(), true)?;
        Ok(Self { service, told: RefCell::default(), is_staying: Cell::new(are_staying) })
    }

    /// Where they are led now.
    pub(crate) fn led(&self) -> Vec<Backend> {
        let told = self.told.borrow().clone();
        told.unwrap_or_else(|| self.service.led())
    }

    /// Those of an app, where this scheduler leads them. `None`: the app has no address, or another scheduler has it by now.
    pub(crate) fn here(world: &World, app: &AppName) -> Option<Self> {
        let service = Service::with_address(world, app)?;
        (!service.is_handed_over(&SchedulerName::Swarm)).then(|| Self {
            service,
            told: RefCell::default(),
            is_staying: Cell::new(false),
        })
    }

    /// Whether the supervisor of the address also keeps processes: the app moves from here to them, or from them to here.
    pub(crate) fn are_shared(&self) -> bool {
        self.service.is_shared()
    }

    /// The new release is proved: clients are led to its tasks from the next look on.
    pub(crate) fn set_out(&self) {
        self.is_staying.set(false);
    }

    /// Whether they are to be led along with what is seen.
    pub(crate) fn go_along(&self) -> bool {
        !self.is_staying.get()
    }

    /// Has them led to these, if they were led to others before. If the supervisor cannot be told, it is at the next look.
    pub(crate) fn follow(&self, backends: Vec<Backend>) {
        if self.told.borrow().as_ref() != Some(&backends) && self.redirect(&backends).is_ok() {
            *self.told.borrow_mut() = Some(backends);
        }
    }

    /// Leads them to these, and waits for nobody.
    pub(crate) fn redirect(&self, backends: &[Backend]) -> Result<(), Error> {
        self.service.redirect(backends, false)
    }

    /// Leads them to these, and waits until those that go out have no connection any more, or waiting is cancelled. `begins`: what is
    /// counted from here on is of a rollout.
    pub(crate) fn lead(&self, backends: Vec<Backend>, begins: bool, cancel: &Cancel) -> Result<Led, Error> {
        let (tell, told) = mpsc::channel();
        let service = self.service.clone();
        thread::spawn(move || {
            // The receiver may have given up waiting.
            let _ = tell.send(service.lead(&backends, begins));
        });
        loop {
            match told.recv_timeout(LOOK) {
                Ok(led) => return led,
                Err(RecvTimeoutError::Timeout) => cancel.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let what = format!("send the clients of {} to its instances", self.service.app);
                    return Err(failed(&what, "whoever was to do so has died".to_owned()));
                }
            }
        }
    }

    /// Leads them to nothing of this swarm any more: the app has moved to processes that its supervisor keeps.
    pub(crate) fn leave(&self, requester: &mut Requester<'_>) -> Result<(), Error> {
        let led = self.lead(Vec::new(), true, requester.cancel)?;
        requester.tell_all(led.receipt.map(Progress::Receipt));
        Ok(())
    }

    /// Everything that was reached at the address has ended.
    pub(crate) fn close(&self, is_forgotten: bool) -> Result<(), Error> {
        self.service.close(is_forgotten)
    }
}
