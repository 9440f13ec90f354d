//! A new app that has what another one has (`post-app-clone-setup`), or that takes its place (`post-app-rename-setup`).

use anyhow::Result;
use formation::AppName;
use ps_apps::World;

/// Copies the properties and the data of one app to another.
pub(super) fn copy(world: &World, old: &AppName, new: &AppName) -> Result<()> {
    world.copy_ps_properties(old, new)?;
    Ok(world.copy_ps_data(old, new)?)
}

/// [`copy`], and removes the properties of the old app. Its data stays until Dokku has removed the app itself.
pub(super) fn take_over(world: &World, old: &AppName, new: &AppName) -> Result<()> {
    copy(world, old, new)?;
    Ok(world.remove_ps_properties(old)?)
}

/// Moves the rest of the data of an app that was renamed.
pub(super) fn move_data(world: &World, old: &AppName, new: &AppName) -> Result<()> {
    world.copy_ps_data(old, new)?;
    Ok(world.remove_ps_data(old)?)
}
