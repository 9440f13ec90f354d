//! Turns the outcome of a rollout into the result of a deploy or into its error, slot by slot.

use std::collections::BTreeMap;

use formation::{AppName, Slot};
use ps_rollout::{Failure, Fate, Outcome};

use crate::failed_slot::FailedSlot;
use crate::{DeployOutcome, Error, Progress, Requester};

impl Error {
    /// The error of a deploy that failed in one slot and left nothing changed.
    pub fn deploy_failed(app: &AppName, slot: &Slot, reason: String) -> Self {
        let failed = vec![FailedSlot { slot: slot.clone(), reason }];
        Self::DeployFailed { app: app.clone(), failed, fates: BTreeMap::new(), aftermath: Vec::new() }
    }

    /// The slots that failed because a port was in use, if the deploy failed for no other reason and each of these slots has
    /// a running instance that still had the port while the new one was tried.
    pub fn refused_a_port(&self) -> &[FailedSlot] {
        match self {
            Self::DeployFailed { failed, fates, .. }
                if failed.iter().all(|failed| failed.is_refused_a_port(fates)) =>
            {
                failed
            }
            _ => &[],
        }
    }
}

/// The result of a deploy after its rollout. If slots failed, remarks for people are part of the error; otherwise they are
/// passed to `requester`.
pub fn conclude(
    app: &AppName,
    outcome: Outcome,
    requester: &mut Requester<'_>,
) -> Result<DeployOutcome, Error> {
    let aftermath = outcome.sentences();
    let Outcome { cause, slots: fates, failures, .. } = outcome;
    // If a plan only fills empty slots, some may have failed although the others are up.
    let left_out = failures.first().map(|(slot, failure)| (failure.clone(), Some(slot.clone())));
    let answer = match cause.map(|cause| (cause.failure, cause.slot)).or(left_out) {
        None => Ok(DeployOutcome::from(fates)),
        Some((Failure::Cancelled, _)) => {
            (requester.tell)(Progress::Fates(fates));
            Err(Error::Cancelled)
        }
        Some((failure @ (Failure::NotRecorded(_) | Failure::Stopped), _)) => {
            (requester.tell)(Progress::Fates(fates));
            let reason = format!("the new release {failure}");
            Err(Error::Backend { context: format!("deploy {app}"), reason })
        }
        Some((
            Failure::Refused(_)
            | Failure::NotReady(_)
            | Failure::Deadline(_)
            | Failure::Died(_)
            | Failure::Remains(_)
            | Failure::NotAdmitted(_),
            first,
        )) => {
            let failed = failed(failures, first.as_ref());
            let aftermath = cannot_run_twice(&failed, &fates).into_iter().chain(aftermath).collect();
            return Err(Error::DeployFailed { app: app.clone(), failed, fates, aftermath });
        }
    };
    for sentence in aftermath {
        (requester.tell)(Progress::Note(sentence));
    }
    answer
}

/// The failed slots; the one that made the rollout fail comes first.
fn failed(failures: Vec<(Slot, Failure)>, first: Option<&Slot>) -> Vec<FailedSlot> {
    let failed = |(slot, failure): (Slot, Failure)| FailedSlot { slot, reason: failure.to_string() };
    let mut failed: Vec<FailedSlot> = failures.into_iter().map(failed).collect();
    failed.sort_by_key(|failed| first != Some(&failed.slot));
    failed
}

/// Advice if the new instance could not use the port because the old one still had it.
fn cannot_run_twice(failed: &[FailedSlot], fates: &BTreeMap<Slot, Fate>) -> Option<String> {
    let FailedSlot { slot, .. } = failed.iter().find(|failed| failed.is_refused_a_port(fates))?;
    let process_type = &slot.process_type;
    Some(format!(
        "{slot} was tried beside the instance that runs: where two of {process_type} cannot run at the same time, app.json's \
         formation.{process_type}.strategy has to be stop-first"
    ))
}

impl From<BTreeMap<Slot, Fate>> for DeployOutcome {
    fn from(fates: BTreeMap<Slot, Fate>) -> Self {
        let mut outcome = Self::default();
        for (slot, fate) in &fates {
            let list = match fate {
                Fate::Kept(_) | Fate::Restarted { .. } => &mut outcome.kept,
                Fate::Started(_) | Fate::Replaced { .. } => &mut outcome.started,
                Fate::Ended(_) | Fate::Stopped | Fate::Lost => &mut outcome.stopped,
                Fate::Empty => continue,
            };
            list.push(slot.clone());
        }
        Self { fates, ..outcome }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ps_rollout::{Cause, Run};

    use super::*;
    use crate::Cancel;

    fn slot(text: &str) -> Slot {
        text.parse().expect("a legal slot")
    }

    fn failed(failure: Failure, failures: &[(&str, Failure)], fates: &[(&str, Fate)]) -> Outcome {
        let at = failures.last().map(|(text, _)| slot(text));
        Outcome {
            cause: Some(Cause { slot: at, failure }),
            slots: fates.iter().map(|(text, fate)| (slot(text), fate.clone())).collect(),
            failures: failures.iter().map(|(text, failure)| (slot(text), failure.clone())).collect(),
            troubles: vec![],
            remains: vec![],
            unrecorded: None,
        }
    }

    fn concluded(outcome: Outcome) -> (Result<DeployOutcome, Error>, Vec<String>) {
        let mut notes = Vec::new();
        let mut say = |progress| {
            if let Progress::Note(text) = progress {
                notes.push(text);
            }
        };
        let answer = conclude(
            &"shop".parse().expect("a legal name"),
            outcome,
            &mut Requester { tell: &mut say, cancel: &Cancel::default(), lock: None },
        );
        (answer, notes)
    }

    #[test]
    fn each_slot_that_failed_is_a_line_the_first_cause_before_the_others_and_what_changed_after_them() {
        let died = Failure::Died("ended within its first second (exit status 1)".to_owned());
        let not_ready = Failure::NotReady("did not answer GET / with 2xx".to_owned());
        let outage = Some(Duration::from_millis(2100));
        let fates = [
            ("web.1", Fate::Kept(Run { slot: slot("web.1"), number: 4 })),
            ("worker.1", Fate::Restarted { run: Run { slot: slot("worker.1"), number: 18 }, outage }),
        ];
        let failures = [("web.1", not_ready), ("worker.1", died.clone())];
        let (answer, notes) = concluded(failed(died, &failures, &fates));
        assert_eq!(
            answer.expect_err("it failed").to_string(),
            "worker.1 of shop ended within its first second (exit status 1)\n\
             web.1 of shop did not answer GET / with 2xx\n\
             worker.1 runs the earlier release again, as worker.1@18: clients could not reach it for 2.1 s"
        );
        assert_eq!(notes, [""; 0]);
    }

    #[test]
    fn who_could_not_have_the_port_of_the_instance_that_runs_is_told_what_to_do() {
        let lines = "ended with exit status 1; its last lines:\n    Error: listen EADDRINUSE: address already in use :::3000";
        let died = Failure::Died(lines.to_owned());
        let told = |fate: Fate| {
            let outcome = failed(died.clone(), &[("web.1", died.clone())], &[("web.1", fate)]);
            concluded(outcome).0.expect_err("it failed").to_string()
        };
        let kept = told(Fate::Kept(Run { slot: slot("web.1"), number: 4 }));
        assert!(kept.ends_with("app.json's formation.web.strategy has to be stop-first"), "{kept}");
        // No instance of the app had the port.
        assert_eq!(told(Fate::Empty), format!("web.1 of shop {lines}"));
    }

    #[test]
    fn a_cancelled_rollout_is_told_as_such_and_its_outage_beside_it() {
        let outage = Some(Duration::from_secs(1));
        let fates = [("web.1", Fate::Restarted { run: Run { slot: slot("web.1"), number: 3 }, outage })];
        let (answer, notes) = concluded(failed(Failure::Cancelled, &[], &fates));
        assert!(matches!(answer, Err(Error::Cancelled)), "{answer:?}");
        assert_eq!(
            notes,
            ["web.1 runs the earlier release again, as web.1@3: clients could not reach it for 1 s"]
        );
    }
}
