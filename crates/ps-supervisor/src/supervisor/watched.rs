//! Restarts because watched files have changed. Each is a rollout of the current revision, so running instances go on until
//! the new runs have passed their checks. In the foreground there is no rollout: an instance ends before its successor
//! starts.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Instant;

use formation::Slot;

use super::Supervisor;
use crate::diary::{Happening, Occasion};
use crate::revision::{self, Manner, NEXT_FILE, Next, USUAL};
use crate::seat::Seat;
use crate::seat_table::Event;
use crate::wakeup::Wakeup;
use crate::watched::{self, Refresh};

impl Supervisor {
    /// Watches the files that the spec names, unless they are watched already: a directory that was replaced by another one of
    /// the same name, and a path that was made meanwhile, are looked for again whenever the spec is read.
    pub(super) fn watch_files(&mut self) {
        let wanted = watched::wanted(&self.means.spec);
        let is_same = wanted.len() == self.watched.len()
            && wanted.iter().zip(&self.watched).all(|(new, old)| new.is_same(old) && old.is_up_to_date());
        if is_same {
            return;
        }
        // What was said before is not said again: the note may tell of a restart by now.
        let said: Vec<String> = self.watched.iter().filter_map(watched::WatchedPaths::trouble).collect();
        for (index, watched) in self.watched.iter_mut().enumerate() {
            // Changes that were not read yet would be lost with the watch.
            watched.look(Instant::now());
            if let Ok(watch) = &watched.watch {
                let _ = self.poll.unwatch(watch.fd());
            }
            self.poll.forget(&Wakeup::Files(index));
        }
        let mut earlier = std::mem::replace(&mut self.watched, wanted);
        self.means.warnings.clear();
        for index in 0..self.watched.len() {
            let watched = &mut self.watched[index];
            watched.inherit(&mut earlier);
            watched.begin();
            if let Ok(watch) = &watched.watch {
                let _ = self.poll.watch(watch.fd().as_fd(), Wakeup::Files(index));
            }
            if let Some(trouble) = watched.trouble() {
                let types = watched.types.clone();
                for name in &types {
                    self.means.warnings.insert(name.clone(), trouble.clone());
                }
                if said.contains(&trouble) {
                    continue;
                }
                self.remark(|slot| types.iter().any(|name| name == slot.process_type.as_str()), &trouble);
            }
        }
    }

    /// Watched files have changed.
    #[inline(never)]
    pub(super) fn hear_files(&mut self, index: usize) {
        if let Some(watched) = self.watched.get_mut(index) {
            watched.look(Instant::now());
        }
    }

    /// When a restart is due.
    pub(super) fn files_due(&self) -> Option<Instant> {
        self.watched.iter().filter_map(watched::WatchedPaths::due).min()
    }

    /// Begins a restart that is due; if another rollout is in progress, it waits.
    pub(super) fn refresh(&mut self, now: Instant) {
        for index in 0..self.watched.len() {
            if self.watched[index].due().is_none_or(|due| due > now) || self.is_ending {
                continue;
            }
            if self.refuse_while_rolling().is_err() {
                self.watched[index].postpone(now);
                continue;
            }
            let types = self.watched[index].types.clone();
            let Some(why) = self.watched[index].take() else { continue };
            self.start_anew(&types, &why);
        }
    }

    fn start_anew(&mut self, types: &[String], why: &str) {
        let wanted = self.means.spec.wanted();
        // An instance that was given up is started too, since the change may help. One that has finished is not.
        let is_meant = |slot: &&Slot| {
            let is_over = self.seats.get(slot).is_none_or(Seat::is_done);
            types.iter().any(|name| name == slot.process_type.as_str()) && !is_over
        };
        let slots: Vec<Slot> = wanted.iter().filter(is_meant).cloned().collect();
        self.start_slots_anew(Occasion::Files, slots, why);
    }

    /// Restarts these slots, and records the reason.
    pub(super) fn start_slots_anew(&mut self, occasion: Occasion, slots: Vec<Slot>, why: &str) {
        if slots.is_empty() {
            return;
        }
        if self.attached.is_some() {
            for slot in &slots {
                if let Some(seat) = self.seats.get_mut(slot) {
                    seat.handle(Event::Restart, &mut self.means);
                    if let Some(reason) = occasion.reason() {
                        seat.count_restart(reason);
                    }
                }
            }
            let (what, is_failure) = (format!("started anew: {why}"), false);
            return self.happened(Happening { occasion, slots, run: None, what, is_failure });
        }
        match self.submit(&slots).and_then(|()| self.roll(slots.clone(), occasion.reason())) {
            Ok(()) => self.refresh = Some(Refresh { occasion, slots, why: why.to_owned() }),
            Err(reason) => {
                let what = format!("{why}, and nothing was started anew: {reason}");
                self.happened(Happening { occasion, slots, run: None, what, is_failure: true });
            }
        }
        self.conclude_refresh();
    }

    /// Writes the current revision as the one to roll out.
    fn submit(&self, slots: &[Slot]) -> Result<(), String> {
        let mut known = revision::manners(&self.service);
        let types = slots.iter().map(|slot| slot.process_type.to_string());
        let rolling: BTreeMap<String, Manner> = types
            .map(|name| {
                let manner = known.remove(&name);
                (name, manner.unwrap_or(Manner { rules: USUAL }))
            })
            .collect();
        let next = Next { spec: self.means.spec.clone(), rolling, canary: None };
        durable::replace(&self.service, NEXT_FILE, &next.to_json())
            .map_err(|error| format!("write {NEXT_FILE}: {error}"))
    }

    /// Reports the result of a restart, once it is over.
    pub(super) fn conclude_refresh(&mut self) {
        let Some(carried) = self.rollout.as_ref().filter(|carried| carried.is_concluded) else {
            if self.rollout.is_none() {
                self.finish_refresh(None);
            }
            return;
        };
        let report = carried.report();
        let is_failed = report.outcome.as_ref().is_some_and(|outcome| outcome.cause.is_some());
        let failure = is_failed.then(|| match report.failed.first() {
            Some(failed) => {
                let exit = failed.last_exit.map(|exit| exit.to_string());
                let reason = failed.reason.clone().or(exit).unwrap_or_else(|| "not in time".to_owned());
                format!("{} did not come up: {reason}", failed.slot)
            }
            None => "the restart was given up".to_owned(),
        });
        if self.refresh.is_some() {
            self.forget_rollout();
        }
        self.finish_refresh(failure);
    }

    fn finish_refresh(&mut self, failure: Option<String>) {
        let Some(Refresh { occasion, slots, why }) = self.refresh.take() else { return };
        let is_failure = failure.is_some();
        let said = match failure {
            None => format!("started anew: {why}"),
            Some(failure) => format!("{why}, but {failure}; what ran before runs on"),
        };
        self.happened(Happening { occasion, slots, run: None, what: said, is_failure });
    }

    /// Adds a note to the status of slots.
    pub(super) fn remark(&mut self, is_meant: impl Fn(&Slot) -> bool, note: &str) {
        for seat in self.seats.values_mut().filter(|seat| is_meant(seat.slot())) {
            seat.note(note);
        }
    }

    /// Removes the notes that are meant from the status of slots.
    pub(super) fn forget_notes(&mut self, of: impl Fn(&Slot) -> bool, is_meant: impl Fn(&str) -> bool) {
        for seat in self.seats.values_mut().filter(|seat| of(seat.slot())) {
            seat.forget_note(&is_meant);
        }
    }
}
