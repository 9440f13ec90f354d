//! How a verb comes to its plan: the scheduler is asked how the app is.

use formation::Formation;

use crate::{Error, Intent, Plan, Release, Scheduler};

impl Plan {
    /// Asks a scheduler how its app is, and makes the plan from that. Every verb makes its plan here; `--dry-run` shows its
    /// steps ([`crate::foresee`]).
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
