//! The property `restore`: whether an app is started after a reboot. It is written before the work of a verb begins, and
//! restored if the work fails. So if a `start` is killed halfway, the app runs after the next boot; if the property were
//! written last, it would not.

use anyhow::Result;
use formation::AppName;
use ps_apps::{Error, RESTORE, Scope, World};
use ps_cli::say;

/// The value before a verb changed it.
pub(crate) struct Wish<'a> {
    world: &'a World,
    app: &'a AppName,
    before: Option<String>,
}

impl<'a> Wish<'a> {
    /// Sets whether the app is restored after a reboot.
    pub(crate) fn set(world: &'a World, app: &'a AppName, is_wanted: bool) -> Result<Self> {
        let before = world.property("ps", Scope::App(app), RESTORE)?;
        world.set_restored(app, is_wanted)?;
        Ok(Self { world, app, before })
    }

    /// Restores the earlier value after the work has failed. If that fails too, a warning is printed; the user gets the
    /// error of the work.
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
