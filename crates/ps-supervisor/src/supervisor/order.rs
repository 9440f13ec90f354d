//! The order of types (setting `after`). A waiting slot is filled when the types that it waits for have come far enough, and a
//! slot is told to end when no dependent slot is left that is to end as well. Nothing is polled: both are looked at whenever
//! something has happened. If no type waits for another, nothing here does anything.

use std::collections::BTreeSet;

use formation::{Milestone, ProcessType, Slot, Wait};
use type_settings::Order;

use super::Supervisor;
use crate::seat::Seat;
use crate::seat_table::Event;

impl Supervisor {
    /// Fills the waiting slots whose conditions hold. The status of the others says what they wait for.
    pub(super) fn start_held(&mut self) {
        while self.seats.values().any(Seat::is_waiting) {
            let order = self.means.spec.order();
            let waiting = self.seats.values().filter(|seat| seat.is_waiting());
            let types: BTreeSet<ProcessType> = waiting.map(|seat| seat.slot().process_type.clone()).collect();
            let mut has_started = false;
            for process_type in types {
                let obstacle = self.obstacle(order.waits(&process_type));
                let note = self.nobody_to_wait_for(order.waits(&process_type));
                let is_of_it =
                    |seat: &&mut Seat| seat.is_waiting() && seat.slot().process_type == process_type;
                for seat in self.seats.values_mut().filter(is_of_it) {
                    if let Some(what) = &obstacle {
                        seat.wait_for(what);
                        continue;
                    }
                    seat.handle(Event::Met, &mut self.means);
                    if let Some(note) = &note {
                        seat.note(note);
                    }
                    has_started = true;
                }
            }
            // Another type may wait only for what has just been started.
            if !has_started {
                return;
            }
        }
    }

    /// The conditions that do not hold yet, for people.
    fn obstacle(&self, waits: &[Wait]) -> Option<String> {
        let unmet: Vec<String> = waits.iter().filter_map(|wait| self.unmet(wait)).collect();
        (!unmet.is_empty()).then(|| format!("waits for {}", unmet.join(" and for ")))
    }

    fn unmet(&self, Wait { process_type, milestone }: &Wait) -> Option<String> {
        let wanted = self.means.spec.wanted_of(process_type);
        let has_reached = |seat: &Seat| {
            let is_of_now = self.means.spec.is_of_now(process_type, seat.revision());
            (*milestone != Milestone::Done || is_of_now) && seat.has_reached(*milestone)
        };
        let missing: Vec<&Slot> =
            wanted.iter().filter(|slot| !self.seats.get(slot).is_some_and(has_reached)).collect();
        let first = missing.first()?;
        // In the foreground the seat is not marked as given up when the shell did not find its program: the foreground decides
        // that, and then the seat is at rest.
        let is_given_up = |seat: &Seat| seat.is_given_up() || (self.attached.is_some() && seat.is_at_rest());
        let given_up = missing.iter().find(|slot| self.seats.get(slot).is_some_and(is_given_up));
        let why = given_up.map(|slot| format!(", and {slot} was given up")).unwrap_or_default();
        let runs =
            |slot: &&&Slot| self.seats.get(slot).is_some_and(|seat| seat.has_reached(Milestone::Ready));
        let runs_on = missing.iter().find(|_| *milestone == Milestone::Done).filter(runs);
        let why = runs_on.filter(|_| why.is_empty()).map_or(why, |slot| {
            format!(", and {slot} runs: that comes only if it ends by itself with success (a service never does: say {process_type}:ready)")
        });
        Some(format!("{} {}{why}", first.process_type, milestone.phrase()))
    }

    /// A note about types of which no instance is wanted: the start did not wait for them.
    fn nobody_to_wait_for(&self, waits: &[Wait]) -> Option<String> {
        let is_absent = |wait: &&Wait| {
            !wait.process_type.is_release() && self.means.spec.wanted_of(&wait.process_type).is_empty()
        };
        let absent: Vec<&str> =
            waits.iter().filter(is_absent).map(|wait| wait.process_type.as_str()).collect();
        (!absent.is_empty())
            .then(|| format!("it waited for nothing of {}, of which nothing is to run", absent.join(", ")))
    }

    /// Whether all slots are at rest or wait. Then nothing can happen by itself any more that would start a waiting one.
    pub(super) fn only_waits(&self) -> bool {
        self.seats.values().all(|seat| seat.is_at_rest() || seat.is_waiting())
    }

    /// Ends these slots, dependent types first.
    pub(crate) fn end_in_order(&mut self, slots: impl IntoIterator<Item = Slot>) {
        let is_ordered = !self.means.spec.order().is_empty();
        for slot in slots {
            let Some(seat) = self.seats.get_mut(&slot) else { continue };
            // An instance that waits for others has no process that others depend on. It is stopped at once, so that it is not
            // started meanwhile.
            if is_ordered && !seat.is_at_rest() && !seat.is_waiting() {
                self.leaving.entry(slot).or_insert(false);
            } else {
                seat.handle(Event::Stop, &mut self.means);
            }
        }
        self.end_next();
    }

    /// Tells those slots to end on which none of the others depends any more.
    pub(super) fn end_next(&mut self) {
        let seats = &self.seats;
        self.leaving.retain(|slot, _| seats.get(slot).is_some_and(|seat| !seat.is_at_rest()));
        if self.leaving.is_empty() {
            return;
        }
        let order = self.means.spec.order();
        let mut next: Vec<Slot> =
            self.untold().filter(|slot| !self.is_needed(&order, slot)).cloned().collect();
        if next.is_empty() && self.leaving.values().all(|is_told| !is_told) {
            // A circle. Deploys refuse one, but it must not keep anything alive.
            next = self.untold().cloned().collect();
        }
        for slot in next {
            self.tell_to_end(&slot);
        }
    }

    fn untold(&self) -> impl Iterator<Item = &Slot> {
        self.leaving.iter().filter(|(_, is_told)| !**is_told).map(|(slot, _)| slot)
    }

    fn is_needed(&self, order: &Order, slot: &Slot) -> bool {
        let mut dependents = order.dependents(&slot.process_type);
        dependents.any(|dependent| self.leaving.keys().any(|other| other.process_type == *dependent))
    }

    fn tell_to_end(&mut self, slot: &Slot) {
        if let Some(seat) = self.seats.get_mut(slot) {
            self.leaving.insert(slot.clone(), true);
            seat.handle(Event::Stop, &mut self.means);
        }
    }

    /// Tells all slots that are still to end, without an order.
    pub(crate) fn end_the_rest(&mut self) {
        let rest: Vec<Slot> = self.untold().cloned().collect();
        for slot in rest {
            self.tell_to_end(&slot);
        }
    }

    /// These slots are wanted again: they are not told to end.
    pub(crate) fn let_stay(&mut self, slots: &[Slot]) {
        self.leaving.retain(|slot, is_told| *is_told || !slots.contains(slot));
    }
}
