//! The state machine: it takes events and returns actions. It decides by the tables of `life` and `stage` alone, and
//! uses neither clocks nor files.

use std::time::Duration;

use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::event::{Action, Event};
use crate::life::{Deed, Happening, Life};
use crate::order::{self, Place};
use crate::outcome::{Cause, Failure, Outcome};
use crate::plan::{Plan, Rules};
use crate::seat::{Seat, Which};
use crate::stage::{Signal, Stage, State};
use crate::turn::Turn;
use crate::{Revision, Run};

/// One rollout of one app. It is serialised and recorded before the ordered actions are taken, so that another executor can
/// continue it.
///
/// Times are durations since an origin that the executor chooses. The origin must stay valid as long as its runs live; the
/// boot of the machine is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    format: Format,
    pub(crate) stage: Stage,
    pub(crate) seats: Vec<Seat>,
    pub(crate) rules: Vec<Rules>,
    /// How the types are related, by the index of their rules; empty if no type waits for another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) places: Vec<Place>,
    #[serde(deserialize_with = "crate::run::number")]
    next_number: u64,
    /// Whether a slot that fails is left out while the others go on.
    #[serde(default)]
    pub(crate) is_each_for_itself: bool,
    /// The latest time of an event.
    pub(crate) seen: Duration,
    pub(crate) cause: Option<Cause>,
    remains: Vec<(Run, String)>,
    unrecorded: Option<String>,
}

/// The format of the record; a record of another format is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Format;

impl From<Format> for u8 {
    fn from(_: Format) -> Self {
        1
    }
}

impl TryFrom<u8> for Format {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        if number == u8::from(Self) {
            Ok(Self)
        } else {
            Err(format!(
                "a rollout in format {number} was written by another version, which has to finish it"
            ))
        }
    }
}

impl Rollout {
    /// A rollout that has not begun.
    pub fn new(plan: &Plan) -> Self {
        let mut seats = Vec::new();
        for (index, (process_type, planned)) in plan.types.iter().enumerate() {
            let slot = |n: &u16| Slot::new(process_type.clone(), *n);
            seats.extend(planned.slots.iter().map(|(n, change)| Seat::new(slot(n), index, change)));
        }
        Self {
            format: Format,
            stage: Stage::Idle,
            seats,
            rules: plan.types.values().map(|planned| planned.rules).collect(),
            places: order::places(plan),
            next_number: plan.next_number,
            is_each_for_itself: false,
            seen: Duration::ZERO,
            cause: None,
            remains: Vec::new(),
            unrecorded: None,
        }
    }

    /// As [`Rollout::new`], but a slot whose new run fails is left out instead of failing all others. For a plan that fills
    /// empty slots from the running revision, which has proven itself already. The rollout fails if no new run is left.
    #[must_use]
    pub fn each_for_itself(self) -> Self {
        Self { is_each_for_itself: true, ..self }
    }

    /// Handles an event and returns the actions in order. Total: an event that does not apply any more, such as a late
    /// answer, changes nothing.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut turn = Turn { now, actions: Vec::new(), in_doubt: Vec::new() };
        self.take(event, &mut turn);
        self.seen = now;
        self.ring(&mut turn);
        self.advance(&mut turn);
        self.limit_waiting(&turn);
        self.repeat(&mut turn);
        turn.actions
    }

    /// When the rollout needs [`Event::Tick`], at the latest.
    pub fn due(&self) -> Option<Duration> {
        let waiting = self.seats.iter().filter_map(|seat| seat.held_until);
        self.seats.iter().flat_map(Seat::members).filter_map(|(_, member)| member.due).chain(waiting).min()
    }

    /// Every slot of the plan, including those that are kept.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.seats.iter().map(|seat| &seat.slot)
    }

    /// The current state.
    pub fn state(&self) -> State {
        self.stage.state()
    }

    /// Whether clients are sent to this run, as far as the rollout knows.
    pub fn is_served(&self, run: &Run) -> bool {
        let members = self.seats.iter().flat_map(Seat::members);
        members.into_iter().any(|(_, member)| member.run == *run && member.life == Life::Serving)
    }

    /// A number for a run that a restart policy of the executor starts. The rollout must be recorded before that run
    /// starts.
    pub fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// Makes all new runs get numbers from this one on, because other runs of the app have the lower ones.
    pub fn pass_numbers_below(&mut self, number: u64) {
        self.next_number = self.next_number.max(number);
    }

    /// The outcome, once the rollout is over.
    pub fn outcome(&self) -> Option<Outcome> {
        if !self.stage.is_final() {
            return None;
        }
        let is_committed = self.stage == Stage::Committed;
        let noted = |failure: fn(&Seat) -> &Option<Failure>| {
            let of = move |seat: &Seat| Some((seat.slot.clone(), failure(seat).clone()?));
            self.seats.iter().filter_map(of).collect()
        };
        Some(Outcome {
            cause: self.cause.clone(),
            slots: self.seats.iter().map(|seat| (seat.slot.clone(), seat.fate(is_committed))).collect(),
            failures: noted(|seat| &seat.failure),
            troubles: noted(|seat| &seat.trouble),
            remains: self.remains.clone(),
            unrecorded: self.unrecorded.clone(),
        })
    }
}

impl Rollout {
    fn take(&mut self, event: Event, turn: &mut Turn) {
        match event {
            Event::Begin => self.signal(Signal::Begin, turn),
            Event::Cancel => self.cancel(turn),
            Event::Tick => (),
            Event::Started(run) => self.tell(&run, Happening::Started, None, turn),
            Event::StartRefused { run, reason } => {
                self.tell(&run, Happening::Refused, Some(Failure::Refused(reason)), turn);
            }
            Event::Extended { run, time } => self.extended(&run, time, turn),
            Event::Ready(run) => self.tell(&run, Happening::Ready, None, turn),
            Event::NotReady { run, reason } => {
                self.tell(&run, Happening::NotReady, Some(Failure::NotReady(reason)), turn);
            }
            Event::Admitted(run) => self.tell(&run, Happening::Admitted, None, turn),
            Event::NotAdmitted { run, reason } => {
                self.tell(&run, Happening::NotAdmitted, Some(Failure::NotAdmitted(reason)), turn);
            }
            Event::Withdrawn(run) => self.tell(&run, Happening::Withdrawn, None, turn),
            Event::Died { run, how } => self.tell(&run, Happening::Died, Some(Failure::Died(how)), turn),
            Event::Ended(run) => self.tell(&run, Happening::Ended, None, turn),
            Event::Remains { run, reason } => {
                self.tell(&run, Happening::Remains, Some(Failure::Remains(reason)), turn);
            }
            Event::Respawned { died, run } => self.respawned(&died, &run, turn),
            Event::Stopped(slot) => self.stopped(&slot),
            Event::Recorded(revision) => self.recorded(revision, turn),
            Event::NotRecorded { revision, slot, reason } => self.not_recorded(revision, slot, reason, turn),
            Event::Resumed(observed) => self.resume(&observed, turn),
        }
    }

    fn cancel(&mut self, turn: &mut Turn) {
        let stage = self.stage;
        self.signal(Signal::Cancelled, turn);
        if self.stage != stage {
            self.cause = Some(Cause { slot: None, failure: Failure::Cancelled });
        }
    }

    fn stopped(&mut self, slot: &Slot) {
        let is_final = self.stage.is_final();
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.slot == *slot && !is_final) {
            seat.is_stopped = true;
        }
    }

    fn recorded(&mut self, revision: Revision, turn: &mut Turn) {
        if self.is_recording(revision) {
            self.signal(Signal::Settled, turn);
        }
    }

    fn not_recorded(&mut self, revision: Revision, slot: Option<Slot>, reason: String, turn: &mut Turn) {
        if !self.is_recording(revision) {
            return;
        }
        match revision {
            Revision::New => {
                let failure =
                    if slot.is_some() { Failure::Died(reason) } else { Failure::NotRecorded(reason) };
                if let Some(seat) = self.seats.iter_mut().find(|seat| Some(&seat.slot) == slot.as_ref()) {
                    seat.failure.get_or_insert_with(|| failure.clone());
                }
                self.cause = Some(Cause { slot, failure });
                self.signal(Signal::Broke, turn);
            }
            Revision::Old => {
                self.unrecorded = Some(reason);
                self.signal(Signal::Settled, turn);
            }
        }
    }

    fn is_recording(&self, revision: Revision) -> bool {
        match revision {
            Revision::New => self.stage == Stage::Committing,
            Revision::Old => self.stage == Stage::Restoring,
        }
    }

    fn extended(&mut self, run: &Run, time: Duration, turn: &Turn) {
        let Some((seat, which)) = self.find(run) else { return };
        if let Some(member) = self.seats[seat].member_mut(which) {
            member.extend(turn.now.saturating_add(time));
        }
    }

    fn respawned(&mut self, died: &Run, run: &Run, turn: &mut Turn) {
        self.skip_number(run);
        let Some((seat, which)) = self.find(died) else { return };
        if let Some(member) = self.seats[seat].member_mut(which) {
            member.run = run.clone();
        }
        self.happen(seat, which, Happening::Respawned, None, turn);
    }

    /// Makes sure that the number of this run is never given to another one.
    pub(crate) fn skip_number(&mut self, run: &Run) {
        self.next_number = self.next_number.max(run.number + 1);
    }

    fn find(&self, run: &Run) -> Option<(usize, Which)> {
        let seat = self.seats.iter().position(|seat| seat.slot == run.slot)?;
        let (which, _) = self.seats[seat].members().find(|(_, member)| member.run == *run)?;
        Some((seat, which))
    }

    fn tell(&mut self, run: &Run, happening: Happening, failure: Option<Failure>, turn: &mut Turn) {
        if let Some((seat, which)) = self.find(run) {
            self.happen(seat, which, happening, failure, turn);
        }
    }

    /// Applies the table to a run.
    pub(crate) fn happen(
        &mut self,
        index: usize,
        which: Which,
        happening: Happening,
        failure: Option<Failure>,
        turn: &mut Turn,
    ) {
        let Some(happening) = self.meaning(index, happening) else { return };
        let seat = &mut self.seats[index];
        let rules = self.rules[seat.rules];
        let Some(member) = seat.member_mut(which) else { return };
        let before = member.life;
        let (life, deed) = before.after(happening);
        member.set(life, deed, turn.now, rules);
        let run = member.run.clone();
        match deed {
            Deed::Nothing => (),
            Deed::Probe => turn.actions.push(Action::Probe(run)),
            Deed::Admit => turn.actions.push(Action::Admit(run)),
            Deed::Withdraw => turn.actions.push(Action::Withdraw(run)),
            Deed::End => turn.actions.push(Action::End(run)),
            Deed::Forget => {
                self.remains.retain(|(remaining, _)| *remaining != run);
                turn.actions.push(Action::Forget(run));
            }
            Deed::Fail => {
                let failure = failure.unwrap_or_else(|| unexplained(happening, rules));
                self.failed(index, which, before, failure);
            }
        }
        self.seats[index].follow(turn.now);
    }

    fn failed(&mut self, index: usize, which: Which, before: Life, failure: Failure) {
        let seat = &mut self.seats[index];
        let would_not_end = matches!(failure, Failure::Remains(_));
        if let (Failure::Remains(reason), Some(member)) = (&failure, seat.member(which)) {
            self.remains.push((member.run.clone(), reason.clone()));
        }
        if seat.is_stopped || seat.is_left_out {
            return;
        }
        let is_old = which == Which::Old;
        let was_admitting = matches!(failure, Failure::NotAdmitted(_));
        if self.stage.is_open() && !is_old {
            self.miss(index, failure);
        } else if self.stage.is_open() && would_not_end {
            seat.failure.get_or_insert_with(|| failure.clone());
            let slot = seat.slot.clone();
            self.give_up(Some(slot), failure);
        } else if is_old && (self.stage == Stage::PuttingBack || was_admitting) && before != Life::Serving {
            seat.trouble = Some(failure);
        }
    }

    /// Handles that the new run of a slot has failed.
    pub(crate) fn miss(&mut self, index: usize, failure: Failure) {
        let seat = &mut self.seats[index];
        seat.failure.get_or_insert_with(|| failure.clone());
        if self.is_each_for_itself {
            seat.is_left_out = true;
            return;
        }
        let slot = seat.slot.clone();
        self.give_up(Some(slot), failure);
    }

    /// Gives the rollout up. Only the first reason is reported.
    pub(crate) fn give_up(&mut self, slot: Option<Slot>, failure: Failure) {
        if self.stage.is_open() {
            self.cause.get_or_insert(Cause { slot, failure });
        }
    }
}

/// The failure of a run for which no reason was given.
fn unexplained(happening: Happening, rules: Rules) -> Failure {
    match happening {
        Happening::Due => Failure::Deadline(rules.deadline),
        Happening::Ended => Failure::Died("ended before it had passed the gate".to_owned()),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Died
        | Happening::Remains
        | Happening::Respawned
        | Happening::Done
        | Happening::Admit
        | Happening::Retire => Failure::Died("ended with an unknown status".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_rollout_of_another_format_is_refused_with_a_reason() {
        let rollout = Rollout::new(&Plan { types: BTreeMap::new(), next_number: 1 });
        let written = serde_json::to_string(&rollout).expect("a rollout can be written");
        assert_eq!(serde_json::from_str::<Rollout>(&written).ok(), Some(rollout));
        let beyond = written.replace("\"next_number\":1", &format!("\"next_number\":{}", u64::MAX));
        assert!(serde_json::from_str::<Rollout>(&beyond).is_err(), "{beyond}");
        let later = written.replace("\"format\":1", "\"format\":2");
        let error = serde_json::from_str::<Rollout>(&later).expect_err("another format");
        assert!(error.to_string().contains("format 2"), "{error}");
    }
}
