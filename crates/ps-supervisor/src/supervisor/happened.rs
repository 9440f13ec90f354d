//! Events that no person asked for, and who is told of them.

use super::Supervisor;
use crate::attachment::Change;
use crate::diary::Happening;

impl Supervisor {
    /// Records the event in the status of the slots, and reports it to clients that watch and to the diary.
    pub(super) fn happened(&mut self, happening: Happening) {
        let Happening { slots, what, .. } = &happening;
        for seat in self.seats.values_mut().filter(|seat| slots.contains(seat.slot())) {
            seat.note(what);
        }
        if let Some(attached) = &mut self.attached {
            attached.news.push(Change::Note { slots: slots.clone(), what: what.clone() });
        }
        self.means.diary.note(happening);
    }
}
