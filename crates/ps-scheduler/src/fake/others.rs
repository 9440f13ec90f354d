//! Other programs that use the fake scheduler while one of them carries out a rollout. Only that one changes the app
//! meanwhile; the others send it requests. Time is simulated, so it stands still while a program is about to send a
//! request: otherwise the rollout would be over before a real program could do so.

use std::collections::BTreeSet;
use std::time::Duration;

use formation::{AppName, Slot};

use super::app::App;
use super::{Everything, Fake};
use crate::scheduler::{StopOrder, Stopped};

/// A program that has not asked within this time is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to carry out the rollout of an app; it is given back when this is dropped, also by a caller that dies.
pub(super) struct Held<'a>(&'a Fake, &'a AppName);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.with(self.1, |app| app.is_held = false);
    }
}

impl Fake {
    /// The scheduler as another program has it, which is about to ask for something.
    pub fn another(&self) -> impl FnOnce() -> Self + Send + use<> {
        self.everything().awaited += 1;
        let shared = self.shared.clone();
        move || Self { shared, is_awaited: true.into(), ..Self::default() }
    }

    /// From now on no other program changes the app.
    pub(super) fn hold<'a>(&'a self, name: &'a AppName) -> Held<'a> {
        self.with(name, |app| app.is_held = true);
        Held(self, name)
    }

    /// Waits until every program that is about to ask for something has done so.
    pub(super) fn await_others(&self) {
        let is_awaiting = |everything: &mut Everything| everything.awaited > 0;
        let waited = self.shared.changed.wait_timeout_while(self.everything(), PATIENCE, is_awaiting);
        drop(waited.expect("nobody dies while he changes something"));
    }

    /// Passes this stop to the program that carries out a rollout of the app, and waits until the instances have ended. `None` if
    /// there is no such program, or it dies, so that the caller still has to carry out the order.
    pub(super) fn have_taken_in(&self, order: &StopOrder) -> Option<Stopped> {
        if !self.everything().apps.get(&order.app).is_some_and(|app| app.is_held) {
            self.has_asked();
            return None;
        }
        let (ticket, before) = self.with(&order.app, |app| (app.ask(&order.which), app.filled(&order.which)));
        self.has_asked();
        self.wait_while(&order.app, |app| app.is_held && app.asks(ticket));
        if self.with(&order.app, |app| app.withdraw(ticket)) {
            return None;
        }
        self.wait_while(&order.app, |app| app.is_held && !app.filled(&order.which).is_empty());
        let left: BTreeSet<Slot> = self.with(&order.app, |app| app.filled(&order.which));
        let ended = before.into_iter().filter(|slot| !left.contains(slot)).map(|slot| (slot, None));
        left.is_empty().then(|| Stopped { ended: ended.collect(), remaining: Vec::new() })
    }

    /// Simulated time need no longer wait for this program.
    pub(super) fn has_asked(&self) {
        if self.is_awaited.take() {
            self.everything().awaited -= 1;
            self.shared.changed.notify_all();
        }
    }

    fn wait_while(&self, name: &AppName, holds: impl Fn(&App) -> bool) {
        let is_so = |everything: &mut Everything| everything.apps.get(name).is_some_and(&holds);
        let waited = self.shared.changed.wait_while(self.everything(), is_so);
        drop(waited.expect("nobody dies while he changes something"));
    }
}
