//! A check of type liveness or readiness, which is repeated for as long as its container runs.

use std::time::Duration;

use formation::{AppName, Slot};
use ps_engine::Engine;
use ps_release::{Check, Checks};

use crate::asking::{self, Miss, Subject};

/// A repeated check of one container, and its last result.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) app: AppName,
    pub(crate) slot: Slot,
    pub(crate) subject: Subject,
    pub(crate) check: Check,
    pub(crate) is_liveness: bool,
    /// The number of the check among those of its kind.
    pub(crate) index: usize,
    /// Whether the check has failed as often as it may, and has not held since.
    pub(crate) has_failed: bool,
    /// The pause before the first or the next attempt.
    pub(crate) pause: Duration,
}

/// The checks of a container, without results yet.
pub(crate) fn of(
    app: &AppName,
    slot: &Slot,
    subject: &Subject,
    checks: &Checks,
    is_withdrawn: bool,
) -> Vec<Round> {
    let round = |is_liveness: bool, (index, check): (usize, &Check)| Round {
        app: app.clone(),
        slot: slot.clone(),
        subject: subject.clone(),
        check: check.clone(),
        is_liveness,
        index,
        has_failed: !is_liveness && is_withdrawn,
        pause: check.initial_delay,
    };
    let liveness = checks.liveness.iter().enumerate().map(|check| round(true, check));
    liveness.chain(checks.readiness.iter().enumerate().map(|check| round(false, check))).collect()
}

impl Round {
    /// Repeats the check until its result changes: it has failed for this reason, or holds again.
    pub(crate) async fn until_it_changes(&self, engine: &Engine) -> Result<(), String> {
        let mut failures = 0;
        let mut pause = self.pause;
        loop {
            tokio::time::sleep(pause).await;
            pause = self.check.wait;
            match (asking::attempt(engine, &self.subject, &self.check).await, self.has_failed) {
                (Ok(()), true) => return Ok(()),
                (Ok(()), false) => failures = 0,
                (Err(_), true) | (Err(Miss::Unasked(_)), false) => (),
                (Err(Miss::Fails(reason)), false) => {
                    failures += 1;
                    if failures >= self.check.attempts {
                        return Err(self.check.failure(failures, &reason));
                    }
                }
            }
        }
    }
}
