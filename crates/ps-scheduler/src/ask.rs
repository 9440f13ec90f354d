//! Asks the scheduler for the status of an app and makes a plan from it.

use formation::Formation;

use crate::{Error, Intent, Plan, Release, Scheduler};

impl Plan {
    /// Asks a scheduler for the status of an app and makes the plan of a verb. Every verb makes its plan here, and
    /// `--dry-run` shows the same plan's steps ([`crate::foresee`]).
    pub fn ask(
        scheduler: &dyn Scheduler,
        release: Release,
        wanted: &Formation,
        intent: &Intent,
    ) -> Result<Self, Error> {
        let present = scheduler.status_of(&release.app)?.instances;
        Ok(Self::new(release, wanted, &present, intent, scheduler.usual_strategy()))
    }
}
