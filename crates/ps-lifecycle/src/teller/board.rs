//! The state of each instance of an app while a verb changes it. A board receives the messages of a scheduler, and
//! returns the news among them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use balance::Receipt;
use formation::{Exit, Slot, State};
use ps_rollout::{Fate, Finding, Verdict};
use ps_rows::{CanaryRow, Phase};
use ps_scheduler::{Change, DeployOutcome, Error, Plan, Progress, Stopped};

use crate::journal;

/// What there is to say of an instance that was told to end and had no process.
const NOTHING_RAN: &str = "it did not run, and is not started any more";

/// The instances of one app.
#[derive(Debug)]
pub(super) struct Board {
    began: Instant,
    places: BTreeMap<Slot, Place>,
}

/// One instance. While it is replaced it has two runs: a new one that comes up, and an old one that ends.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) change: Option<Change>,
    pub(super) coming: Coming,
    pub(super) going: Going,
    /// The final result.
    pub(super) result: Option<&'static str>,
    run: Option<u64>,
    said: Option<String>,
    /// Whether its failure was already reported.
    is_failure_told: bool,
}

/// The run that comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    Nothing,
    Since(Instant),
    Ready(Duration),
    Failed(Duration),
}

/// The runs that are to end: those that the new ones replace, and new ones that were only a trial or have failed.
#[derive(Debug, Default)]
pub(super) struct Going {
    /// Since when each run has been told to end; the key `None` stands for a run whose number is unknown.
    pub(super) since: BTreeMap<Option<u64>, Instant>,
    /// How long the run that ended last took to end.
    pub(super) over: Option<Duration>,
    /// Whether a run did not end.
    pub(super) stays: bool,
}

/// An event to be reported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) slot: Option<Slot>,
    pub(super) run: Option<u64>,
    pub(super) phase: Phase,
    pub(super) outcome: Option<&'static str>,
    pub(super) took: Duration,
    pub(super) reason: Option<String>,
    pub(super) receipt: Option<Receipt>,
    pub(super) canary: Option<CanaryRow>,
}

impl Board {
    /// A board without instances.
    pub(super) fn new(began: Instant) -> Self {
        Self { began, places: BTreeMap::new() }
    }

    /// The instances that are changed, in the order of their names.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Slot, &Place)> {
        self.places.iter().filter(|(_, place)| place.change != Some(Change::Keep))
    }

    /// Removes all instances, because another operation on the app begins.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Receives the plan, and returns the planned changes.
    pub(super) fn plan(&mut self, plan: &Plan, now: Instant) -> Vec<Turn> {
        let took = now - self.began;
        let mut turns = Vec::new();
        for step in &plan.steps {
            self.place(&step.slot).change = Some(step.change);
            let (outcome, reason) = (Some(step.change.as_str()), Some(step.reason.to_owned()));
            turns.push(Turn { outcome, reason, ..Turn::of(&step.slot, Phase::Plan, took) });
        }
        turns
    }

    /// Receives a progress message of a scheduler.
    pub(super) fn hear(&mut self, progress: &Progress, now: Instant) -> Vec<Turn> {
        let turn = match progress {
            Progress::Note(text) => Some(self.said(Phase::Note, text, now)),
            Progress::Output(text) => Some(self.said(Phase::Output, text, now)),
            Progress::Started(slot) => self.begins(slot, None, None, now),
            Progress::Ready(slot) => self.is_ready(slot, None, now),
            Progress::Ended(slot, exit) => self.has_ended(slot, None, exit.map(in_words), now),
            Progress::CalledOff(slot) => self.has_ended(slot, None, Some(NOTHING_RAN.to_owned()), now),
            Progress::Now { slot, run, state, note } => self.see(slot, *run, *state, note.clone(), now),
            Progress::Fates(fates) => return self.fates(fates, now),
            Progress::Receipt(receipt) => Some(self.receipt(receipt, now)),
            Progress::Canary(finding) => Some(self.canary(finding, now)),
            Progress::Aside | Progress::Alone => None,
        };
        turn.into_iter().collect()
    }

    fn see(
        &mut self,
        slot: &Slot,
        run: Option<u64>,
        state: State,
        note: Option<String>,
        now: Instant,
    ) -> Option<Turn> {
        match state {
            State::Waiting | State::Starting => self.begins(slot, run, note, now),
            State::Running => self.is_ready(slot, run, now),
            State::Stopping => self.is_told_to_end(slot, run, now),
            State::Stopped => self.has_ended(slot, run, note, now),
            State::Backoff | State::Crashed | State::Unhealthy => self.fails(slot, run, note, now),
            State::Unready | State::Scheduled | State::Missing | State::Unknown => None,
        }
    }

    fn begins(&mut self, slot: &Slot, run: Option<u64>, note: Option<String>, now: Instant) -> Option<Turn> {
        let place = self.place(slot);
        let is_another = run.is_some() && place.run.is_some() && place.run < run;
        if is_another || place.coming == Coming::Nothing {
            (place.coming, place.run, place.said) = (Coming::Since(now), run, note.clone());
            place.is_failure_told = false;
            let outcome = Some("begun");
            return Some(Turn { run, outcome, reason: note, ..Turn::of(slot, Phase::Start, Duration::ZERO) });
        }
        let Coming::Since(since) = place.coming else { return None };
        place.run = place.run.or(run);
        if note.is_none() || note == place.said {
            return None;
        }
        place.said.clone_from(&note);
        let (run, outcome) = (place.run, Some("waiting"));
        Some(Turn { run, outcome, reason: note, ..Turn::of(slot, Phase::Start, now - since) })
    }

    fn is_ready(&mut self, slot: &Slot, run: Option<u64>, now: Instant) -> Option<Turn> {
        let place = self.place(slot);
        let since = match place.coming {
            Coming::Since(since) => since,
            Coming::Nothing | Coming::Failed(_) => now,
            Coming::Ready(_) => return None,
        };
        place.coming = Coming::Ready(now - since);
        place.run = run.or(place.run);
        let (run, outcome) = (place.run, Some("done"));
        Some(Turn { run, outcome, ..Turn::of(slot, Phase::Start, now - since) })
    }

    /// Records that a run does not become ready. The failure is reported once its reason is known.
    fn fails(&mut self, slot: &Slot, run: Option<u64>, reason: Option<String>, now: Instant) -> Option<Turn> {
        let place = self.place(slot);
        let took = match place.coming {
            Coming::Since(since) => now - since,
            Coming::Failed(took) => took,
            Coming::Nothing | Coming::Ready(_) => Duration::ZERO,
        };
        place.coming = Coming::Failed(took);
        place.run = run.or(place.run);
        let reason = reason.filter(|_| !place.is_failure_told)?;
        place.is_failure_told = true;
        let (run, outcome, reason) = (place.run, Some("failed"), Some(reason));
        Some(Turn { run, outcome, reason, ..Turn::of(slot, Phase::Start, took) })
    }

    fn is_told_to_end(&mut self, slot: &Slot, run: Option<u64>, now: Instant) -> Option<Turn> {
        let known = self.place(slot).going.since.insert(run, now);
        let turn = Turn { run, outcome: Some("begun"), ..Turn::of(slot, Phase::Stop, Duration::ZERO) };
        match known {
            Some(since) => {
                self.place(slot).going.since.insert(run, since);
                None
            }
            None => Some(turn),
        }
    }

    /// Records that a run has ended. A message without a run number comes after all of a slot's runs have ended, and
    /// some of them may have been reported already.
    fn has_ended(
        &mut self,
        slot: &Slot,
        run: Option<u64>,
        reason: Option<String>,
        now: Instant,
    ) -> Option<Turn> {
        let began = self.began;
        let going = &mut self.place(slot).going;
        let ended = match run {
            Some(_) => going.since.remove_entry(&run).or_else(|| going.since.remove_entry(&None))?,
            None if going.since.is_empty() && going.over.is_some() => return None,
            None => going.since.pop_first().unwrap_or((None, began)),
        };
        let (known, took) = (ended.0, now - ended.1);
        going.over = Some(took);
        let (run, outcome) = (run.or(known), Some("done"));
        Some(Turn { run, outcome, reason, ..Turn::of(slot, Phase::Stop, took) })
    }

    fn said(&self, phase: Phase, text: &str, now: Instant) -> Turn {
        let reason = Some(text.to_owned());
        let (slot, run, outcome, receipt, canary) = Default::default();
        Turn { slot, run, phase, outcome, took: now - self.began, reason, receipt, canary }
    }

    fn canary(&self, finding: &Finding, now: Instant) -> Turn {
        let outcome = match finding {
            Finding::Begun(_) => "begun",
            Finding::Judged { verdict: Verdict::Good, .. } => "done",
            Finding::Judged { .. } => "failed",
        };
        let said = self.said(Phase::Canary, &finding.to_string(), now);
        Turn { outcome: Some(outcome), canary: CanaryRow::of(finding), ..said }
    }

    fn receipt(&self, receipt: &Receipt, now: Instant) -> Turn {
        let outcome = Some(if receipt.has_none_failed() { "done" } else { "failed" });
        let said = self.said(Phase::Receipt, &receipt.to_string(), now);
        Turn { outcome, receipt: Some(receipt.clone()), ..said }
    }

    /// Records the result of a rollout.
    pub(super) fn conclude(&mut self, done: &Result<DeployOutcome, Error>, now: Instant) -> Vec<Turn> {
        match done {
            Ok(DeployOutcome { started, stopped, kept, fates }) if fates.is_empty() => {
                let lists = [("started", started), ("ended", stopped), ("kept", kept)];
                let fates =
                    lists.into_iter().flat_map(|(word, slots)| slots.iter().map(move |slot| (slot, word)));
                let run = |slot: &Slot| self.places.get(slot).and_then(|place| place.run);
                let fates: Vec<_> = fates.map(|(slot, word)| (slot, word, run(slot))).collect();
                self.results(fates, now)
            }
            Ok(DeployOutcome { fates, .. }) => self.fates(fates, now),
            Err(Error::DeployFailed { failed, fates, .. }) => {
                let mut turns = Vec::new();
                for failed in failed {
                    turns.extend(self.fails(&failed.slot, None, Some(failed.reason.clone()), now));
                }
                turns.extend(self.fates(fates, now));
                turns
            }
            // The result of each instance was printed before, if it is known.
            Err(error) => {
                let word = if matches!(error, Error::Cancelled) { "cancelled" } else { "unknown" };
                let is_new =
                    |place: &&mut Place| matches!(place.change, Some(Change::Start | Change::Replace));
                self.places.values_mut().filter(is_new).for_each(|place| place.result = Some(word));
                Vec::new()
            }
        }
    }

    /// Records the result of a stop.
    pub(super) fn conclude_stop(&mut self, stopped: &Stopped, now: Instant) -> Vec<Turn> {
        let mut turns = Vec::new();
        for (slot, exit) in &stopped.ended {
            turns.extend(self.has_ended(slot, None, exit.map(in_words), now));
        }
        for (slot, why) in &stopped.remaining {
            let took = now - self.began;
            self.place(slot).going.stays = true;
            let (outcome, reason) = (Some("failed"), Some(why.clone()));
            turns.push(Turn { outcome, reason, ..Turn::of(slot, Phase::Stop, took) });
        }
        turns
    }

    fn fates(&mut self, fates: &BTreeMap<Slot, Fate>, now: Instant) -> Vec<Turn> {
        let fates = fates.iter().map(|(slot, fate)| (slot, journal::word(fate), number(fate)));
        let fates: Vec<_> = fates.collect();
        self.results(fates, now)
    }

    fn results(&mut self, fates: Vec<(&Slot, &'static str, Option<u64>)>, now: Instant) -> Vec<Turn> {
        let took = now - self.began;
        let mut turns = Vec::new();
        for (slot, word, run) in fates {
            let place = self.place(slot);
            place.result = Some(word);
            turns.push(Turn { run, outcome: Some(word), ..Turn::of(slot, Phase::Result, took) });
        }
        turns
    }

    fn place(&mut self, slot: &Slot) -> &mut Place {
        self.places.entry(slot.clone()).or_insert_with(|| Place {
            change: None,
            coming: Coming::Nothing,
            going: Going::default(),
            result: None,
            run: None,
            said: None,
            is_failure_told: false,
        })
    }
}

impl Turn {
    fn of(slot: &Slot, phase: Phase, took: Duration) -> Self {
        let (run, outcome, reason, receipt, canary) = Default::default();
        Self { slot: Some(slot.clone()), run, phase, outcome, took, reason, receipt, canary }
    }
}

/// The number of the run that fills the slot at the end.
fn number(fate: &Fate) -> Option<u64> {
    match fate {
        Fate::Kept(run)
        | Fate::Started(run)
        | Fate::Replaced { new: run, .. }
        | Fate::Restarted { run, .. } => Some(run.number),
        Fate::Ended(_) | Fate::Empty | Fate::Lost | Fate::Stopped => None,
    }
}

fn in_words(exit: Exit) -> String {
    exit.to_string()
}
