//! The outcome of a rollout: the state of each slot, and the reasons.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::Run;

/// Why something failed. Displays as a phrase that follows the slot's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A run could not be started.
    Refused(String),
    /// The checks of a run failed for good.
    NotReady(String),
    /// The checks of a run did not succeed within the deadline.
    Deadline(Duration),
    /// A run ended by itself, and how.
    Died(String),
    /// A run survived SIGKILL.
    Remains(String),
    /// Clients could not be led to a run.
    NotAdmitted(String),
    /// The record could not be written.
    NotRecorded(String),
    /// A person cancelled the rollout.
    Cancelled,
    /// Every slot that was to get a new run was stopped by hand.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason)
            | Self::NotReady(reason)
            | Self::Died(reason)
            | Self::NotAdmitted(reason) => f.write_str(reason),
            Self::Deadline(deadline) => write!(f, "was not ready within {}", seconds(*deadline)),
            Self::Remains(reason) => write!(f, "would not end: {reason}"),
            Self::NotRecorded(reason) => write!(f, "could not be recorded: {reason}"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::Stopped => f.write_str("was stopped by hand"),
        }
    }
}

/// The first failure, which made the rollout fail as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The slot of the failure; `None`: the rollout as a whole.
    pub slot: Option<Slot>,
    /// The failure.
    pub failure: Failure,
}

/// The result for one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The run that was there before, untouched. If it died meanwhile, its restart policy handles that.
    Kept(Run),
    /// A run of the new revision in a slot that was empty.
    Started(Run),
    /// A run of the new revision in place of the earlier one.
    Replaced {
        /// The earlier run.
        old: Run,
        /// The new run.
        new: Run,
    },
    /// Empty: the earlier run ended as planned, or has finished as it should.
    Ended(Run),
    /// Empty, as before.
    Empty,
    /// The old revision again, as another run.
    Restarted {
        /// The run.
        run: Run,
        /// How long clients reached no run; `None`: they still reach none, and [`Outcome::troubles`] says why.
        outage: Option<Duration>,
    },
    /// No run that serves clients, although there was one before: [`Outcome::troubles`] and [`Outcome::remains`] say why.
    Lost,
    /// Empty, because a person stopped it.
    Stopped,
}

impl Outcome {
    /// Sentences for people, in addition to the cause: each says what is not as it was before, or not as planned. Empty if
    /// the promise was kept or everything went as planned.
    pub fn sentences(&self) -> Vec<String> {
        let of_slots = self.slots.iter().filter_map(|(slot, fate)| self.sentence(slot, fate));
        let of_runs =
            self.remains.iter().map(|(run, why)| format!("{run} was told to end and would not: {why}"));
        let of_record = self
            .unrecorded
            .iter()
            .map(|why| format!("it could not be written down that the earlier release is back: {why}"));
        of_slots.chain(of_runs).chain(of_record).collect()
    }

    fn sentence(&self, slot: &Slot, fate: &Fate) -> Option<String> {
        let trouble = self.troubles.iter().find(|(troubled, _)| troubled == slot).map(|(_, failure)| failure);
        let because = trouble.map(|failure| format!(": {failure}")).unwrap_or_default();
        match fate {
            Fate::Restarted { run, outage: Some(outage) } => Some(format!(
                "{slot} runs the earlier release again, as {run}: clients could not reach it for {}",
                seconds(*outage)
            )),
            Fate::Restarted { run, outage: None } => Some(format!(
                "{slot} was started again from the earlier release, as {run}, and is not found yet{because}"
            )),
            Fate::Lost => Some(format!("{slot} is empty, although it was filled before{because}")),
            Fate::Stopped => Some(format!("{slot} is empty, because it was stopped by hand meanwhile")),
            Fate::Kept(_) | Fate::Started(_) | Fate::Replaced { .. } | Fate::Ended(_) | Fate::Empty => {
                trouble.map(|failure| format!("{slot} {failure}"))
            }
        }
    }
}

/// A duration to a tenth of a second: `2.1 s`, `30 s`, `less than 0.1 s`.
fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (0, 0) => "less than 0.1 s".to_owned(),
        (whole, 0) => format!("{whole} s"),
        (whole, tenth) => format!("{whole}.{tenth} s"),
    }
}

/// The outcome of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Why it failed; `None`: the new revision is recorded and runs.
    pub cause: Option<Cause>,
    /// The result for each slot.
    pub slots: BTreeMap<Slot, Fate>,
    /// All failures before the rollout gave up, including the cause, and those of slots that were left out while the others
    /// went on.
    pub failures: Vec<(Slot, Failure)>,
    /// Failures of old runs: while they were restored, or when clients could not be led again to one that had died.
    pub troubles: Vec<(Slot, Failure)>,
    /// Runs that were told to end and survived SIGKILL, and why.
    pub remains: Vec<(Run, String)>,
    /// Why the record of the old revision could not be written; `None` if it was. The old runs are in place, but the record
    /// may be that of the new revision.
    pub unrecorded: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &str) -> Slot {
        text.parse().expect("a legal slot")
    }

    fn run(text: &str, number: u64) -> Run {
        Run { slot: slot(text), number }
    }

    /// The sentences for these fates of slots `web.1`, `web.2` …, with these failures while old runs were restored.
    fn told(fates: Vec<Fate>, troubles: &[(&str, Failure)]) -> Vec<String> {
        let slots = fates.into_iter().zip(1..).map(|(fate, n)| (slot(&format!("web.{n}")), fate)).collect();
        let troubles = troubles.iter().map(|(text, failure)| (slot(text), failure.clone())).collect();
        let nothing = Vec::new();
        Outcome { cause: None, slots, failures: vec![], troubles, remains: nothing, unrecorded: None }
            .sentences()
    }

    #[test]
    fn where_everything_is_as_before_or_as_planned_there_is_nothing_to_tell() {
        let (old, new) = (run("web.1", 4), run("web.1", 9));
        let replaced = Fate::Replaced { old: old.clone(), new: new.clone() };
        let fates = [Fate::Kept(old.clone()), Fate::Started(new), replaced, Fate::Ended(old), Fate::Empty];
        assert_eq!(told(fates.to_vec(), &[]), [""; 0]);
    }

    #[test]
    fn each_slot_that_is_not_as_before_is_told_with_what_is_in_it_and_how_long_it_was_empty() {
        let restarted = |millis: Option<u64>| Fate::Restarted {
            run: run("web.1", 18),
            outage: millis.map(Duration::from_millis),
        };
        let fates = [restarted(Some(2149)), restarted(None), Fate::Lost, Fate::Lost, Fate::Stopped];
        let died = Failure::Died("ended with exit status 1".to_owned());
        let troubles = [("web.2", died.clone()), ("web.4", died)];
        assert_eq!(
            told(fates.to_vec(), &troubles),
            [
                "web.1 runs the earlier release again, as web.1@18: clients could not reach it for 2.1 s",
                "web.2 was started again from the earlier release, as web.1@18, and is not found yet: ended with exit \
                 status 1",
                "web.3 is empty, although it was filled before",
                "web.4 is empty, although it was filled before: ended with exit status 1",
                "web.5 is empty, because it was stopped by hand meanwhile",
            ]
        );
    }

    #[test]
    fn what_would_not_end_and_a_record_that_could_not_be_written_are_told_after_the_slots() {
        let outcome = Outcome {
            cause: None,
            slots: BTreeMap::new(),
            failures: vec![],
            troubles: vec![],
            remains: vec![(run("web.1", 4), "pid 17 belongs to root".to_owned())],
            unrecorded: Some("no space left on device".to_owned()),
        };
        assert_eq!(
            outcome.sentences(),
            [
                "web.1@4 was told to end and would not: pid 17 belongs to root",
                "it could not be written down that the earlier release is back: no space left on device",
            ]
        );
    }

    #[test]
    fn times_are_told_to_a_tenth_of_a_second() {
        let told = [0, 49, 50, 999, 30_000, 61_250].map(|millis| seconds(Duration::from_millis(millis)));
        assert_eq!(told, ["less than 0.1 s", "less than 0.1 s", "0.1 s", "1 s", "30 s", "61.3 s"]);
    }
}
