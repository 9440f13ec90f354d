//! Events that no person asked for, and who is told of them.

use super::Supervisor;
use crate::attachment::Change;
use crate::diary::Happening;

impl Supervisor {
    /// Says it in the status of the slots, to whoever looks on, and to whoever keeps a record.
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
