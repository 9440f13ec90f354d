//! Leading the clients of an app from its old containers to the new ones. Whoever does so has a hook for the trigger
//! `proxy-build-config`, and reads the files IP and PORT; Dokku's proxies are such plugins. A container that was replaced lives on
//! for a while after the hook has run (`wait-to-retire`), because some clients are still on their way to it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ps_rollout::Run;
use ps_scheduler::{Progress, Requester};
use ps_triggers::Triggers;

use crate::app::App;
use crate::containers::Containers;

const TRIGGER: &str = "proxy-build-config";
/// How long its hooks may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// The pause between two looks at whether waiting has been given up.
const LOOK: Duration = Duration::from_millis(100);

/// The clients of one app during a rollout.
pub(crate) struct Clients {
    triggers: Triggers,
    app: String,
    wait: Duration,
    /// Whether something is recorded to which they were not led yet.
    pub(crate) are_behind: bool,
    /// Runs that they are to be led away from.
    leaving: Vec<Run>,
    /// Why no container may end to which they may still be led.
    pub(crate) stay: Option<String>,
    is_given_up: Rc<Cell<bool>>,
}

impl Clients {
    /// `None`: no plugin has a hook, so nobody leads any.
    pub(crate) fn of(app: &App<'_>) -> Option<Self> {
        let triggers = Triggers::new(app.world).with_deadline(DEADLINE);
        if !triggers.is_implemented(TRIGGER).unwrap_or(false) {
            return None;
        }
        let (variable, token) = app.world.lock_token(app.name);
        Some(Self {
            triggers: triggers.with_env(variable, token),
            app: app.name.to_string(),
            wait: app.world.wait_to_retire(app.name).unwrap_or_default(),
            are_behind: false,
            leaving: Vec::new(),
            stay: None,
            is_given_up: Rc::default(),
        })
    }

    /// They are to be led away from this run, together with whatever else is to end.
    pub(crate) fn withdraw(&mut self, run: Run) {
        self.leaving.push(run);
    }

    /// Has them led to what is recorded by now, if that has changed; the runs that they leave.
    pub(crate) fn lead(&mut self, containers: &Containers<'_>, requester: &mut Requester<'_>) -> Vec<Run> {
        let leaving = std::mem::take(&mut self.leaving);
        if leaving.is_empty() && !self.are_behind {
            return leaving;
        }
        self.are_behind = false;
        let called =
            || self.triggers.stream(TRIGGER, &[&self.app]).map_err(|error| self.triggers.told(&error));
        (requester.tell)(Progress::Aside);
        let note = match containers.hide(&leaving).and_then(|()| called()) {
            Err(reason) => {
                // Whoever takes over has told them once, and goes on.
                if containers.fresh.is_some() && !leaving.is_empty() {
                    self.give_up("clients may still be led to it");
                }
                Some(format!("clients were not led to what is new: {reason}"))
            }
            Ok(()) if leaving.is_empty() || self.wait.is_zero() => None,
            Ok(()) => {
                let seconds = self.wait.as_secs();
                Some(format!("clients are led to what is new: what was replaced ends in {seconds} s"))
            }
        };
        (requester.tell)(Progress::Alone);
        if let Some(note) = note {
            (requester.tell)(Progress::Note(note));
        }
        leaving
    }

    /// The time after which none is on its way any more; over at once if waiting is given up.
    pub(crate) fn departure(&self) -> impl Future<Output = ()> + use<> {
        let (wait, is_given_up) = (self.wait, Rc::clone(&self.is_given_up));
        let begin = Instant::now();
        async move {
            while !is_given_up.get() {
                let left = wait.saturating_sub(begin.elapsed());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LOOK)).await;
            }
        }
    }

    /// Nobody waits any more until they have left, if anybody does; what they may still be led to is left to the next verb.
    pub(crate) fn interrupt(&mut self) {
        if Rc::strong_count(&self.is_given_up) > 1 {
            self.give_up("waiting for its clients to leave was interrupted");
        }
    }

    fn give_up(&mut self, reason: &str) {
        self.stay.get_or_insert_with(|| reason.to_owned());
        self.is_given_up.set(true);
    }
}
