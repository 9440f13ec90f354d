//! Scheduled runs in the event loop. There is a timer only if a type has a schedule: it wakes the supervisor at the
//! next time, and when somebody sets the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::time::Instant;

use formation::Slot;
use jiff::Timestamp;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use timetable::Due;
use type_settings::{Missed, Overlap};

use super::Supervisor;
use crate::clock::Clock;
use crate::diary::{Happening, Occasion};
use crate::schedule::{self, Rule};
use crate::seat::Seat;
use crate::seat_table::Event;
use crate::wakeup::Wakeup;

/// How many runs of a type there may be beside those of its own slots.
const MOST_BESIDE: u16 = 16;

impl Supervisor {
    /// Learns what schedules the spec has.
    pub(super) fn wind_clock(&mut self) {
        let (rules, troubles) = schedule::rules(&self.means.spec);
        if rules.is_empty() {
            if let Some(clock) = self.clock.take() {
                let _ = self.poll.unwatch(clock.timer.as_fd());
                self.poll.forget(&Wakeup::Clock);
            }
            return;
        }
        if let Some(clock) = &mut self.clock {
            (clock.rules, clock.has_rung) = (rules, true);
        } else {
            self.clock = self.new_clock(rules);
        }
        for (process_type, trouble) in troubles {
            self.remark(|slot| slot.process_type.as_str() == process_type, &trouble);
        }
    }

    fn new_clock(&mut self, rules: BTreeMap<String, Rule>) -> Option<Box<Clock>> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Realtime, flags).and_then(|timer| {
            self.poll.watch(timer.as_fd(), Wakeup::Clock)?;
            Ok(timer)
        });
        match timer {
            Ok(timer) => Some(Box::new(Clock::new(timer, rules))),
            Err(errno) => {
                let trouble = format!("nothing runs by its schedule: there is no timer ({errno})");
                self.remark(|slot| rules.contains_key(slot.process_type.as_str()), &trouble);
                None
            }
        }
    }

    /// A time has come, or the clock was set.
    #[inline(never)]
    pub(super) fn hear_clock(&mut self) {
        let Some(clock) = &mut self.clock else { return };
        // Of a clock that was set it says so by an error. Either way it is armed anew.
        let _ = rustix::io::read(&clock.timer, &mut [0; 8]);
        clock.has_rung = true;
    }

    /// Does what is due.
    pub(super) fn look_at_clock(&mut self) {
        let Some(clock) = &mut self.clock else { return };
        let has_rung = std::mem::take(&mut clock.has_rung);
        for seat in self.seats.values_mut().filter(|seat| seat.is_extra_and_over()) {
            seat.handle(Event::Stop, &mut self.means);
        }
        if !has_rung || self.is_ending {
            return;
        }
        let (now, wanted) = (Timestamp::now(), self.means.spec.wanted());
        for slot in &wanted {
            self.look_at_slot(slot, now);
        }
        self.arm_clock(&wanted);
    }

    /// Whether something may be due that was not looked at yet.
    pub(super) fn clock_due(&self, now: Instant) -> Option<Instant> {
        self.clock.as_ref().filter(|clock| clock.has_rung && !self.is_ending).map(|_| now)
    }

    fn look_at_slot(&mut self, slot: &Slot, now: Timestamp) {
        if let Some(doubt) = self.seats.get_mut(slot).and_then(Seat::take_doubt) {
            self.tell_due(slot, doubt);
        }
        let Some(rule) = self.clock.as_ref().and_then(|clock| clock.rule(&slot.process_type)) else { return };
        let Some(seat) = self.seats.get_mut(slot) else { return };
        let (overlap, missed) = (rule.overlap, rule.missed);
        match seat.look_at_course(&rule.timetable, now) {
            Due::NotYet => (),
            Due::Run(_) => self.fire(slot, overlap),
            Due::Missed(time) => {
                let then = match missed {
                    Missed::Skip => "nothing ran for it",
                    Missed::RunOnce => "it is made up for now",
                };
                let what =
                    format!("{time} was missed (the clock passed over it, or nothing could run): {then}");
                self.tell_due(slot, what);
                if missed == Missed::RunOnce {
                    self.fire(slot, overlap);
                }
            }
        }
    }

    /// A slot is due.
    fn fire(&mut self, slot: &Slot, overlap: Overlap) {
        let Some(seat) = self.seats.get_mut(slot) else { return };
        match overlap {
            _ if !seat.is_filled() => seat.handle(Event::Fire, &mut self.means),
            Overlap::Replace => seat.handle(Event::Restart, &mut self.means),
            Overlap::Allow => {
                seat.settle_course(&mut self.means);
                self.fire_beside(slot);
            }
            Overlap::Forbid => {
                seat.settle_course(&mut self.means);
                let run = seat.known();
                seat.note(&format!("a run that was due was left out, because run {run} still ran"));
            }
        }
    }

    /// The slot is taken: one that the formation does not have is filled for this run alone.
    fn fire_beside(&mut self, slot: &Slot) {
        let process_type = &slot.process_type;
        let quantity = self.means.spec.process(process_type).map_or(0, |process| process.quantity);
        let places = (quantity.saturating_add(1)..=quantity.saturating_add(MOST_BESIDE))
            .map(|index| Slot::new(process_type.clone(), index));
        let is_free = |place: &Slot| self.seats.get(place).is_none_or(Seat::is_at_rest);
        let Some(place) = places.into_iter().find(is_free) else {
            let what =
                format!("a run that was due was left out: {MOST_BESIDE} run beside those of the formation");
            return self.tell_due(slot, what);
        };
        self.open_seat(&place, &BTreeSet::new());
        if let Some(seat) = self.seats.get_mut(&place) {
            seat.leave_schedule();
            seat.handle(Event::Start, &mut self.means);
        }
        self.watch_outputs();
    }

    fn tell_due(&mut self, slot: &Slot, what: String) {
        let (occasion, slots) = (Occasion::Schedule, vec![slot.clone()]);
        self.happened(Happening { occasion, slots, run: None, what, is_failure: true });
    }

    /// Sets the timer to the next time at which a slot is due. A slot that was stopped by hand is never due.
    fn arm_clock(&mut self, wanted: &[Slot]) {
        let next = wanted.iter().filter_map(|slot| self.seats.get(slot)?.next_time()).min();
        let (Some(clock), Some(next)) = (&self.clock, next) else { return };
        let it_value = Timespec { tv_sec: next.as_second(), tv_nsec: next.subsec_nanosecond().into() };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        // It is ours, and the time is one of the clock.
        let _ = timerfd_settime(&clock.timer, flags, &Itimerspec { it_interval, it_value });
    }
}
