//! Slots that are to be filled, whatever has become of the runs that filled them before.

use std::collections::BTreeSet;

use formation::Slot;
use ps_scheduler::Error;
use ps_supervisor::{Message, Request, Status};

use super::Follower;

impl Follower<'_> {
    /// Has the supervisor follow its spec, and then starts those of the slots that have no new run by that: what has finished or was given up
    /// the spec alone does not start. A job that has come to its end since is not run twice. `before` is the run that filled a slot, or
    /// filled it last. Returns the messages that came before the last reply.
    pub(crate) fn fill(
        &mut self,
        mut slots: Vec<Slot>,
        before: impl Fn(&Slot) -> Option<u64>,
    ) -> Result<Vec<Message>, Error> {
        let mut told = self.ask(&Request::Apply)?;
        if slots.is_empty() {
            return Ok(told);
        }
        // What it has started is told after its reply, and before the next one.
        told.extend(self.ask(&Request::Hello)?);
        let said = told.iter().filter_map(|message| match message {
            Message::Instance(status) => Some(status),
            _ => None,
        });
        let is_new = |status: &&Status| Some(status.run) != before(&status.slot) && is_begun(status);
        let begun: BTreeSet<Slot> =
            said.chain(self.known.values()).filter(is_new).map(|status| status.slot.clone()).collect();
        slots.retain(|slot| !begun.contains(slot));
        // What had come to its end when this connection began is news to whoever waits for it.
        let is_over = |slot: &&Slot| self.known.get(*slot).is_some_and(|known| !known.state.is_alive());
        let over: Vec<&Slot> = begun.iter().filter(is_over).collect();
        let ended: Vec<Status> = over.into_iter().filter_map(|slot| self.known.remove(slot)).collect();
        told.splice(..0, ended.into_iter().map(Message::Instance));
        if !slots.is_empty() {
            told.extend(self.ask(&Request::Start { slots })?);
        }
        Ok(told)
    }
}

/// Whether the run that a status is of has had a process.
pub(crate) fn is_begun(status: &Status) -> bool {
    status.process.is_some() || status.last_exit.is_some()
}
