//! `core-post-deploy`: after a deploy, the Procfile that was deployed becomes the app's Procfile.

use std::fs::{self, File};
use std::io;

use anyhow::{Context, Result};
use formation::AppName;
use ps_apps::{Scope, World};

use super::extract;

/// Makes `Procfile.<DOKKU_PID>` the app's Procfile, or removes the app's Procfile if the deploy had none. Removes `scale.old`,
/// whose types the deploy has ended, and sets `restore` to `true`.
pub(super) fn commit(world: &World, app: &AppName) -> Result<()> {
    commit_procfile(world, app).with_context(|| format!("commit the Procfile of {app}"))?;
    world.forget_old_formation(app)?;
    Ok(world.set_property("ps", Scope::App(app), "restore", "true")?)
}

fn commit_procfile(world: &World, app: &AppName) -> Result<()> {
    let procfile = world.procfile_path(app);
    let staged = procfile.with_file_name(extract::staged_name()?);
    let missing =
        staged.with_extension(format!("{}.missing", staged.extension().unwrap_or_default().display()));
    if !is_there(fs::rename(&staged, &procfile))? && is_there(fs::remove_file(&missing))? {
        is_there(fs::remove_file(&procfile))?;
    }
    match procfile.parent().map(File::open) {
        Some(Ok(directory)) => Ok(directory.sync_all()?),
        _ => Ok(()),
    }
}

/// Whether the file was there; an error other than that it is missing is one.
fn is_there(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}
