//! The files in `data/scheduler-docker-local/<app>` in which a watch keeps notes. A file that cannot be read counts as
//! empty.

use std::path::PathBuf;

use durable::{Access, Directory};
use formation::AppName;
use ps_apps::World;
use serde::Serialize;
use serde::de::DeserializeOwned;

const MAX_BYTES: u64 = 4 << 20;

/// The directory of an app's files.
pub(crate) fn directory(world: &World, app: &AppName) -> PathBuf {
    world.data_dir("scheduler-docker-local", app)
}

/// The content of the file of this name, if it can be read.
pub(crate) fn read<T: DeserializeOwned>(world: &World, app: &AppName, name: &str) -> Option<T> {
    let bytes = durable::state(&directory(world, app).join(name), MAX_BYTES).unwrap_or_default();
    serde_json::from_slice(&bytes).ok()
}

/// Writes the file of this name.
pub(crate) fn write<T: Serialize>(
    world: &World,
    app: &AppName,
    name: &str,
    content: &T,
) -> Result<(), ps_apps::Error> {
    let text = serde_json::to_vec(content).expect("plain data");
    let access = Access::like(world.lib(), 0o600);
    Ok(Directory::open(world.lib(), &directory(world, app))?.write(name, &text, access)?)
}
