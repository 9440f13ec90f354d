//! A new app that has what another one has (`post-app-clone-setup`), or that takes its place (`post-app-rename-setup`).

use anyhow::Result;
use formation::AppName;
use ps_apps::World;

/// Properties and data.
pub(super) fn copy(world: &World, old: &AppName, new: &AppName) -> Result<()> {
    world.copy_ps_properties(old, new)?;
    Ok(world.copy_ps_data(old, new)?)
}

/// [`copy`]; the old app has no properties afterwards. Its data stays until the app itself has gone.
pub(super) fn take_over(world: &World, old: &AppName, new: &AppName) -> Result<()> {
    copy(world, old, new)?;
    Ok(world.remove_ps_properties(old)?)
}

/// What is left of the data of an app that was renamed.
pub(super) fn move_data(world: &World, old: &AppName, new: &AppName) -> Result<()> {
    world.copy_ps_data(old, new)?;
    Ok(world.remove_ps_data(old)?)
}
