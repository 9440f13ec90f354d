//! Switches the clients of an app from its old containers to the new ones. A proxy does that, by a hook for the trigger
//! `proxy-build-config` that reads the files IP and PORT; Dokku's proxies are such plugins. An old container keeps
//! running for a while after the hook (`wait-to-retire`), because some requests are still on their way to it.
//!
//! Clients of the app's own address (`address`) are switched as well. For these it is known when the last connection of a container
//! has ended.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ps_rollout::{Event, Run};
use ps_scheduler::{Progress, Requester};
use ps_service::Led;
use ps_triggers::Triggers;

use crate::address::{Address, Leading};
use crate::app::App;
use crate::containers::{Containers, Done};

const TRIGGER: &str = "proxy-build-config";
/// How long the hooks may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// The pause between two looks whether waiting has been given up.
const LOOK: Duration = Duration::from_millis(100);
const UNLED: &str = "clients were not sent to the new instances";
/// Why a container stays.
const STILL_LED: &str = "clients may still be led to it";

/// The clients of one app during a rollout.
pub(crate) struct Clients {
    hook: Option<Hook>,
    address: Option<Address>,
    /// Whether the record has changed since clients were last directed.
    pub(crate) are_behind: bool,
    /// Runs that clients are to be directed away from.
    leaving: Vec<Run>,
    patience: Rc<Patience>,
}

/// A plugin's hook that directs clients when it is called.
struct Hook {
    triggers: Triggers,
    app: String,
    wait: Duration,
}

/// Whether this process still waits for clients to leave.
#[derive(Default)]
struct Patience {
    /// Why no container may be ended that clients may still be directed to.
    stay: RefCell<Option<String>>,
    is_given_up: Cell<bool>,
}

/// The operation that waits until the clients of a run have left it, and its result.
pub(crate) type Departure = Pin<Box<dyn Future<Output = Done>>>;

impl Clients {
    /// `None` if the app has neither an address nor a routing hook.
    pub(crate) fn of(app: &App<'_>) -> Option<Self> {
        let (hook, address) = (Hook::of(app), Address::of(app.world, app.name));
        if hook.is_none() && address.is_none() {
            return None;
        }
        let (leaving, patience) = Default::default();
        Some(Self { hook, address, are_behind: false, leaving, patience })
    }

    /// Clients are to be directed away from this run, together with all others that are to end.
    pub(crate) fn withdraw(&mut self, run: Run) {
        self.leaving.push(run);
    }

    /// Directs clients to the recorded containers, if the record has changed. Returns the operation that waits until they have left
    /// the runs that end.
    pub(crate) fn lead(
        &mut self,
        containers: &Containers<'_>,
        requester: &mut Requester<'_>,
    ) -> Vec<Departure> {
        let leaving = std::mem::take(&mut self.leaving);
        if leaving.is_empty() && !self.are_behind {
            return Vec::new();
        }
        self.are_behind = false;
        let gone = containers.gone(&leaving);
        // A process that takes over an unfinished rollout goes on even if clients cannot be led away.
        let goes = containers.fresh.is_some() && !leaving.is_empty();
        let mut unled = Vec::new();
        let leading = self.address.as_ref().and_then(|address| {
            let backends = containers.backends(&gone);
            backends
                .map_err(|error| unled.push(error.to_string()))
                .ok()
                .map(|backends| address.lead(backends))
        });
        if let Some(hook) = &self.hook {
            (requester.tell)(Progress::Aside);
            let called = containers.hide(&gone).and_then(|()| hook.call());
            (requester.tell)(Progress::Alone);
            match called {
                Err(reason) => unled.push(reason),
                Ok(()) => hook.say(!leaving.is_empty(), requester),
            }
        }
        for reason in unled {
            if goes {
                self.patience.give_up(STILL_LED);
            }
            (requester.tell)(Progress::Note(format!("{UNLED}: {reason}")));
        }
        self.departures(leaving, leading.as_ref(), goes)
    }

    /// Waits for the time after which no request that a hook has directed is on its way any more. Returns at once if waiting is given
    /// up.
    pub(crate) fn departure(&self) -> impl Future<Output = ()> + use<> {
        let (wait, patience) = (self.wait(), Rc::clone(&self.patience));
        async move { patience.wait(wait).await }
    }

    fn wait(&self) -> Duration {
        self.hook.as_ref().map_or(Duration::ZERO, |hook| hook.wait)
    }

    fn departures(&self, leaving: Vec<Run>, leading: Option<&Leading>, goes: bool) -> Vec<Departure> {
        let wait = self.wait();
        let mut departures: Vec<Departure> = Vec::new();
        if let Some(leading) = leading.cloned() {
            let patience = Rc::clone(&self.patience);
            departures.push(Box::pin(async move { patience.note(leading, goes).await }));
        }
        for run in leaving {
            let (patience, leading) = (Rc::clone(&self.patience), leading.cloned());
            departures.push(Box::pin(async move {
                patience.wait(wait).await;
                if let Some(leading) = leading {
                    patience.wait_for(leading, goes).await;
                }
                Done::told(Event::Withdrawn(run))
            }));
        }
        departures
    }

    /// Ends the waiting for clients to leave, if any is in progress. Containers that clients may still be directed to are left to the
    /// next verb.
    pub(crate) fn interrupt(&mut self) {
        if Rc::strong_count(&self.patience) > 1 {
            self.patience.give_up("waiting for its clients to leave was interrupted");
        }
    }

    /// Why no container may be ended that clients may still be directed to; `None` if containers may be ended.
    pub(crate) fn stay(&self) -> Option<String> {
        self.patience.stay.borrow().clone()
    }
}

impl Hook {
    /// The hooks of an app; `None` if no plugin has one.
    fn of(app: &App<'_>) -> Option<Self> {
        let triggers = Triggers::new(app.world).with_deadline(DEADLINE);
        if !triggers.is_implemented(TRIGGER).unwrap_or(false) {
            return None;
        }
        let (variable, token) = app.world.lock_token(app.name);
        Some(Self {
            triggers: triggers.with_env(variable, token),
            app: app.name.to_string(),
            wait: app.world.wait_to_retire(app.name).unwrap_or_default(),
        })
    }

    fn call(&self) -> Result<(), String> {
        self.triggers.stream(TRIGGER, &[&self.app]).map_err(|error| self.triggers.told(&error))
    }

    fn say(&self, goes: bool, requester: &mut Requester<'_>) {
        if goes && !self.wait.is_zero() {
            let seconds = self.wait.as_secs();
            let note = format!("clients are led to what is new: what was replaced ends in {seconds} s");
            (requester.tell)(Progress::Note(note));
        }
    }
}

impl Patience {
    /// Waits this long. Returns at once if waiting is given up.
    async fn wait(&self, wait: Duration) {
        let begin = Instant::now();
        while !self.is_given_up.get() {
            let left = wait.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    /// Waits until clients are directed. Returns at once if waiting is given up. `goes`: containers are to end afterwards, and may not
    /// if clients were not directed away from them.
    async fn wait_for(&self, leading: Leading, goes: bool) -> Option<Result<Led, String>> {
        while !self.is_given_up.get() {
            if let Ok(led) = tokio::time::timeout(LOOK, leading.clone()).await {
                if led.is_err() && goes {
                    self.give_up(STILL_LED);
                }
                return Some(led);
            }
        }
        leading.peek().cloned()
    }

    /// The result of directing clients.
    async fn note(&self, leading: Leading, goes: bool) -> Done {
        let (note, receipt) = match self.wait_for(leading, goes).await {
            None => (None, None),
            Some(Ok(led)) => (None, led.receipt.map(Box::new)),
            Some(Err(reason)) => (Some(format!("{UNLED}: {reason}")), None),
        };
        Done { note, receipt, ..Done::default() }
    }

    fn give_up(&self, reason: &str) {
        self.stay.borrow_mut().get_or_insert_with(|| reason.to_owned());
        self.is_given_up.set(true);
    }
}
