//! The hook `core-post-deploy`: after a deploy, the deployed Procfile becomes the app's Procfile.

use std::fs::{self, File};
use std::io;

use formation::AppName;
use ps_apps::World;

use crate::{Error, extract};

/// Renames `Procfile.<DOKKU_PID>` to the app's Procfile, or removes the app's Procfile if the deploy had none.
/// Removes `scale.old`, because the deploy has ended the types named there, and sets the property `restore` to
/// `true`.
pub fn commit(world: &World, app: &AppName) -> Result<(), Error> {
    let staged = extract::staged_name()?;
    commit_procfile(world, app, &staged).map_err(Error::io(format!("commit the Procfile of {app}")))?;
    world.forget_old_formation(app)?;
    Ok(world.set_restored(app, true)?)
}

fn commit_procfile(world: &World, app: &AppName, staged: &str) -> io::Result<()> {
    let procfile = world.procfile_path(app);
    let staged = procfile.with_file_name(staged);
    let missing =
        staged.with_extension(format!("{}.missing", staged.extension().unwrap_or_default().display()));
    if !is_there(fs::rename(&staged, &procfile))? && is_there(fs::remove_file(&missing))? {
        is_there(fs::remove_file(&procfile))?;
    }
    match procfile.parent().map(File::open) {
        Some(Ok(directory)) => directory.sync_all(),
        _ => Ok(()),
    }
}

/// Whether the file was there: a missing file is no error, everything else is.
fn is_there(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}
