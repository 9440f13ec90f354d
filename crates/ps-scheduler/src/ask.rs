//! Asks the scheduler for the status of an app and makes a plan from it.

use formation::{Formation, Slot};

use crate::{AppStatus, Change, Error, Intent, Over, Plan, Release, Scheduler};

impl Plan {
    /// Asks a scheduler for the status of an app and makes the plan of a verb. Every verb makes its plan here, and
    /// `--dry-run` shows the same plan's steps ([`crate::foresee`]).
    ///
    /// # Errors
    /// The scheduler does not answer. [`Error::CannotStart`]: converging would start a slot that a person may have stopped
    /// ([`AppStatus::doubtful`]).
    pub fn ask(
        scheduler: &dyn Scheduler,
        release: Release,
        wanted: &Formation,
        intent: &Intent,
    ) -> Result<Self, Error> {
        let (plan, doubt) = Self::ask_around_doubts(scheduler, release, wanted, intent)?;
        doubt.map_or(Ok(plan), Err)
    }

    /// As [`Plan::ask`], but slots that a person may have stopped are left empty by the plan, and the error about them is returned beside
    /// it.
    ///
    /// # Errors
    /// The scheduler does not answer.
    pub fn ask_around_doubts(
        scheduler: &dyn Scheduler,
        release: Release,
        wanted: &Formation,
        intent: &Intent,
    ) -> Result<(Self, Option<Error>), Error> {
        let mut status = scheduler.status_of(&release.app)?;
        let usual = scheduler.usual_strategy();
        let plan = Self::new(release, wanted, &status.instances, intent, usual);
        let is_doubtful = |slot: &&Slot| status.is_doubtful(slot);
        let doubtful: Vec<Slot> = match intent {
            Intent::Converge(_) => plan.slots(Change::Start).filter(is_doubtful).cloned().collect(),
            Intent::Start(_) | Intent::Restart(_) | Intent::Deploy | Intent::DeployTypes(_) => Vec::new(),
        };
        let Some(error) = doubt(&status, &doubtful) else { return Ok((plan, None)) };
        for instance in &mut status.instances {
            if doubtful.contains(&instance.slot) {
                instance.over = Some(Over::StoppedByHand);
            }
        }
        Ok((Self::new(plan.release, wanted, &status.instances, intent, usual), Some(error)))
    }
}

/// The error about slots that are not started because a person may have stopped them.
fn doubt(status: &AppStatus, slots: &[Slot]) -> Option<Error> {
    let (first, doubtful) = (slots.first()?, status.doubtful.as_ref()?);
    let (app, reason) = (&status.app, &doubtful.reason);
    let names: Vec<String> = slots.iter().map(Slot::to_string).collect();
    let reason = format!(
        "whether it was stopped by hand is not known, and no count of {app} starts it: {reason}; ps-lifecycle start {app} {first} starts it, ps-lifecycle stop {app} {first} leaves it stopped"
    );
    Some(Error::CannotStart { app: app.clone(), slot: names.join(", "), reason })
}
