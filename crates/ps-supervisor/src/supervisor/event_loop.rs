//! The event loop of a supervisor. A turn handles what has happened, records it, and waits for more.

use super::due::Due;
use super::{PAUSE, Supervisor};
use crate::Error;
use crate::seat::Seat;
use crate::stack;
use crate::wakeup::Wakeup;

/// How long a supervisor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until it is ordered to end.
    Told,
    /// Until it is ordered to end, or nothing runs and nothing waits to be started.
    AtRest,
}

impl Supervisor {
    /// Runs until it is ordered to end (or, with [`Until::AtRest`], nothing is left to do) and all processes have ended.
    pub fn run(&mut self, until: Until) -> Result<(), Error> {
        let mut due = stack::on_another(|| self.settle(until));
        while let Some(next) = due {
            let ready = self.wait(&next)?;
            due = if next.is_left_to_outputs() && ready.iter().all(Wakeup::is_output) {
                // Reading what processes write does not go deep, and happens too often for a thread each time.
                self.handle(&ready);
                self.settle(until)
            } else {
                stack::on_another(|| {
                    self.handle(&ready);
                    self.settle(until)
                })
            };
        }
        Ok(())
    }

    /// Records what has happened, and prepares for the next wait. `None`: nothing is left to do.
    #[inline(never)]
    fn settle(&mut self, until: Until) -> Option<Due> {
        self.publish();
        if self.is_over(until) {
            self.means.begin_turn();
            self.drop_candidate();
            self.close_address();
            return None;
        }
        Some(self.prepare())
    }

    pub(super) fn is_over(&mut self, until: Until) -> bool {
        let is_due = self.is_ending || until == Until::AtRest;
        let is_at_rest = self.seats.values().all(Seat::is_at_rest) || (!self.is_ending && self.only_waits());
        if !is_due || !self.means.ending.is_empty() || !is_at_rest || self.clears_strays() {
            return false;
        }
        if self.is_written_down() {
            self.server.flush();
            return true;
        }
        self.tell_unwritten();
        false
    }

    /// Waits for events and handles them.
    pub(super) fn turn(&mut self) -> Result<(), Error> {
        let due = self.prepare();
        let ready = self.wait(&due)?;
        self.handle(&ready);
        Ok(())
    }

    /// Does what must be done before a wait, and says how long that may be.
    fn prepare(&mut self) -> Due {
        self.means.state.vouch(&self.service);
        self.bring_inside();
        // A start that no event caused may have opened outputs since the last wait; they must be watched before the next
        // one.
        self.watch_outputs();
        self.tell_holder();
        self.watch_memory();
        let due = self.due();
        self.means.begin_turn();
        if due.timeout().is_none_or(|timeout| timeout > PAUSE) {
            self.means.census.forget();
        }
        due
    }

    fn wait(&self, due: &Due) -> Result<Vec<Wakeup>, Error> {
        self.poll.wait(due.timeout()).map_err(|errno| Error::io("watch", &self.service, errno))
    }

    fn handle(&mut self, ready: &[Wakeup]) {
        for wakeup in ready {
            self.serve(wakeup);
            self.bring_inside();
        }
        self.look();
    }
}
