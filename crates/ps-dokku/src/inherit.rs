//! What a new app gets from another one when an app is cloned (`post-app-clone-setup`) or renamed
//! (`post-app-rename-setup`).

use formation::AppName;
use ps_apps::{Error, World};

/// Copies the properties and the data of one app to another.
pub fn copy(world: &World, old: &AppName, new: &AppName) -> Result<(), Error> {
    world.copy_ps_properties(old, new)?;
    world.copy_ps_data(old, new)
}

/// Like [`copy`], and removes the properties of the old app. Its data stays until Dokku has removed the app itself.
pub fn take_over(world: &World, old: &AppName, new: &AppName) -> Result<(), Error> {
    copy(world, old, new)?;
    world.remove_ps_properties(old)
}

/// Moves the rest of the data of an app that was renamed.
pub fn move_data(world: &World, old: &AppName, new: &AppName) -> Result<(), Error> {
    world.copy_ps_data(old, new)?;
    world.remove_ps_data(old)
}
