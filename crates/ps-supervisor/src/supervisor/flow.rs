//! Moves output into logs: when each stream is read, which ones have a large pipe, and which ones are paused because their
//! log cannot be written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use formation::Slot;
use log_store::Capture;

use super::{PAUSE, Supervisor};
use crate::holder;
use crate::pace::{Advice, LARGE, QUIET, REST, SMALL};
use crate::run::Run;
use crate::seat::Seat;
use crate::wakeup::Wakeup;

/// How many streams may have a large pipe at the same time. Linux limits the total capacity of a user's pipes
/// (`fs.pipe-user-pages-soft`: 64 MiB); beyond it new pipes are very small.
const MOST_LARGE: usize = 8;
impl Supervisor {
    /// Watches outputs that were opened since the last call.
    pub(super) fn watch_outputs(&mut self) {
        for (slot, seat) in &mut self.seats {
            let limits = self.means.spec.log_limits(&slot.process_type);
            for outputs in seat.runs_mut().map(Run::outputs) {
                let began = outputs.began();
                let Some(captures) = outputs.take_unwatched() else { continue };
                for (index, capture) in captures.iter_mut().enumerate() {
                    capture.limit(limits);
                    let wakeup = Wakeup::Output { slot: slot.clone(), began, index };
                    self.poll.forget(&wakeup);
                    self.paused.remove(&wakeup);
                    // The descriptor was admitted when it was opened. If the system has no memory to watch it, the output
                    // is read when its process ends.
                    let _ = self.poll.watch(capture.fd(), wakeup);
                }
            }
        }
    }

    /// Has outputs held that were opened since the last call, and makes their logs, for which no process had to wait.
    pub(super) fn tell_holder(&mut self) {
        let runs = self.seats.values_mut().flat_map(Seat::runs_mut);
        let untold: Vec<PathBuf> = runs.filter_map(|run| run.outputs().take_untold()).collect();
        if !untold.is_empty() {
            holder::hold(&self.service, &untold);
            self.seats.values_mut().flat_map(Seat::runs_mut).for_each(|run| run.outputs().make_logs());
        }
    }

    /// There is another holder: all of them are to be held by it.
    pub(crate) fn tell_holder_again(&mut self) {
        self.seats.values_mut().flat_map(Seat::runs_mut).for_each(|run| run.outputs().tell_again());
        self.keep_address_again();
    }

    /// Applies the spec's limits to all logs.
    pub(super) fn limit_logs(&mut self) {
        for (slot, seat) in &mut self.seats {
            let limits = self.means.spec.log_limits(&slot.process_type);
            for run in seat.runs_mut() {
                run.outputs().limit(limits);
            }
        }
    }

    /// Moves the output of a run into its log.
    #[inline(never)]
    pub(super) fn capture(&mut self, wakeup: &Wakeup) {
        let Some((run, index)) = run_of(&mut self.seats, wakeup) else { return };
        let now = Instant::now();
        let taken = run.take_output(index, now);
        if taken.has_rotated {
            let outputs = run.outputs();
            self.tidier.ask(outputs.slot().to_owned(), outputs.limits());
        }
        if taken.waits {
            // The log cannot be written: the FIFO fills, and the process blocks. We try again later.
            self.leave_alone(wakeup, PAUSE);
            return;
        }
        if let Some(last) = self.flow.large.get_mut(wakeup) {
            *last = now;
        }
        match taken.advice {
            Advice::GoOn => (),
            Advice::Grow => self.enlarge(wakeup, now),
            Advice::Rest => self.leave_alone(wakeup, REST),
        }
    }

    fn enlarge(&mut self, wakeup: &Wakeup, now: Instant) {
        if self.flow.large.len() >= MOST_LARGE {
            return;
        }
        let Some(capture) = stream(&mut self.seats, wakeup) else { return };
        capture.resize(LARGE);
        if capture.room() >= LARGE {
            self.flow.large.insert(wakeup.clone(), now);
        }
    }

    /// Makes the large pipes of quiet streams small again.
    pub(super) fn give_back(&mut self, now: Instant) {
        let is_quiet = |(wakeup, last): (&Wakeup, &Instant)| (*last + QUIET <= now).then(|| wakeup.clone());
        let quiet: Vec<Wakeup> = self.flow.large.iter().filter_map(is_quiet).collect();
        for wakeup in quiet {
            self.flow.large.remove(&wakeup);
            if let Some(capture) = stream(&mut self.seats, &wakeup) {
                capture.resize(SMALL);
            }
        }
    }

    /// Does not look at a stream for a while.
    fn leave_alone(&mut self, wakeup: &Wakeup, pause: Duration) {
        let Some(capture) = stream(&mut self.seats, wakeup) else { return };
        self.poll.forget(wakeup);
        let _ = self.poll.unwatch(capture.fd());
        self.paused.insert(wakeup.clone(), Instant::now() + pause);
    }

    /// Watches streams again whose pause is over.
    pub(super) fn end_pauses(&mut self, now: Instant) {
        let is_over = |(wakeup, until): (&Wakeup, &Instant)| (*until <= now).then(|| wakeup.clone());
        let over: Vec<Wakeup> = self.paused.iter().filter_map(is_over).collect();
        for wakeup in over {
            self.paused.remove(&wakeup);
            match &wakeup {
                Wakeup::Output { .. } => {
                    if let Some(capture) = stream(&mut self.seats, &wakeup) {
                        let _ = self.poll.watch(capture.fd(), wakeup.clone());
                    }
                }
                Wakeup::Listener => drop(self.poll.watch(self.server.fd(), wakeup.clone())),
                Wakeup::ChildSignal
                | Wakeup::Signal
                | Wakeup::End(_)
                | Wakeup::Client(_)
                | Wakeup::Check(..)
                | Wakeup::Notify
                | Wakeup::Memory(..)
                | Wakeup::Files(_)
                | Wakeup::Clock
                | Wakeup::Address(_)
                | Wakeup::Balance
                | Wakeup::Adopted(..) => (),
            }
        }
    }

    /// Once a day, checks all logs for segments that are too old, including logs that are no longer written to.
    pub(super) fn tidy_logs(&mut self, now: Instant) {
        if self.tidier.is_day_over(now) {
            for outputs in self.seats.values_mut().flat_map(Seat::runs_mut).map(Run::outputs) {
                self.tidier.ask(outputs.slot().to_owned(), outputs.limits());
            }
        }
        self.tidier.look(now);
    }
}

/// The run that a wakeup belongs to, and the index of its stream.
fn run_of<'a>(seats: &'a mut BTreeMap<Slot, Seat>, wakeup: &Wakeup) -> Option<(&'a mut Run, usize)> {
    let Wakeup::Output { slot, began, index } = wakeup else { return None };
    let mut runs = seats.get_mut(slot)?.runs_mut();
    runs.find(|run| run.writes_to_logs_of(*began)).map(|run| (run, *index))
}

/// The stream that a wakeup names, if it is open.
fn stream<'a>(seats: &'a mut BTreeMap<Slot, Seat>, wakeup: &Wakeup) -> Option<&'a mut Capture> {
    let (run, index) = run_of(seats, wakeup)?;
    run.outputs().stream(index)
}
