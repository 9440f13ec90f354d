//! Types whose instances run once and end: those that other types wait for to be done, and those that are not
//! restarted.

use std::cell::OnceCell;

use formation::{AppName, Exit, ProcessType, RestartPolicy, Slot};
use ps_apps::World;
use ps_engine::Container;
use ps_scheduler::Release;

/// Whether an instance of this type that ended with exit status 0 has finished its work.
///
/// A policy that restarts failed instances does not decide that: a `web` also ends with 0 when the machine is shut down, and has
/// to run again afterwards.
pub(crate) fn is_one(release: &Release, process_type: &ProcessType) -> bool {
    let policy = release.settings(process_type).restart_policy.unwrap_or(release.restart_policy);
    release.order().is_awaited_to_be_done(process_type) || policy == RestartPolicy::No
}

/// The types of the release that an app was deployed with. The release is read when it is needed.
pub(crate) struct OneShots<'a> {
    world: &'a World,
    app: &'a AppName,
    release: OnceCell<Option<Release>>,
}

impl<'a> OneShots<'a> {
    pub(crate) fn of(world: &'a World, app: &'a AppName) -> Self {
        Self { world, app, release: OnceCell::new() }
    }

    /// Whether the instance in this slot has finished, given its container.
    pub(crate) fn has_finished(&self, slot: &Slot, container: &Container) -> bool {
        if !container.is_over || container.last_exit != Some(Exit::Code(0)) {
            return false;
        }
        let (world, app) = (self.world, self.app);
        // If the release cannot be read, no instance counts as finished.
        let read = || ps_release::deployed(world, app).ok().flatten().map(|deployed| deployed.release);
        let release = self.release.get_or_init(read);
        release.as_ref().is_some_and(|release| is_one(release, &slot.process_type))
    }
}
