//! Whether an app is brought back after a reboot: the property `restore`. It is written before the work begins that makes
//! it true, and put back if the work fails, so that a verb which is killed half-way leaves what was wanted before or what
//! is wanted now. The other way round, a `start` that was killed would leave a running app that no reboot brings back.

use anyhow::Result;
use formation::AppName;
use ps_apps::{Error, RESTORE, Scope, World};
use ps_cli::say;

/// The wish as it was before a verb changed it.
pub(crate) struct Wish<'a> {
    world: &'a World,
    app: &'a AppName,
    before: Option<String>,
}

impl<'a> Wish<'a> {
    /// From now on the app is brought back, or not.
    pub(crate) fn set(world: &'a World, app: &'a AppName, is_wanted: bool) -> Result<Self> {
        let before = world.property("ps", Scope::App(app), RESTORE)?;
        world.set_restored(app, is_wanted)?;
        Ok(Self { world, app, before })
    }

    /// The work failed: what was wanted before is wanted still. That failure is what the user must hear; one of putting
    /// back is said beside it.
    pub(crate) fn put_back(self) {
        if let Err(error) = self.write() {
            say::warning(&format!("{RESTORE} of {} could not be put back: {error:#}", self.app));
        }
    }

    fn write(&self) -> Result<(), Error> {
        let (world, scope) = (self.world, Scope::App(self.app));
        match &self.before {
            Some(value) => world.set_property("ps", scope, RESTORE, value),
            None => world.unset_property("ps", scope, RESTORE),
        }
    }
}
