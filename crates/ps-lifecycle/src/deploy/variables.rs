//! The variables of `--env-file`: they replace the app's variables until the deploy is recorded. If it fails, the
//! earlier ones are put back.

use std::path::Path;

use anyhow::{Context, Result};
use env_files::MAX_ENV_FILE_BYTES;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::say;
use ps_scheduler_native::Provision;

use crate::args::DeployArgs;
use crate::provision;
use crate::session::Session;

/// Sets the variables of `--env-file`, if it was given. The returned provision puts the earlier ones back if this program dies.
pub(super) fn replace(
    session: &Session,
    app: &AppName,
    args: &DeployArgs,
    scheduler: &SchedulerName,
) -> Result<Option<Provision>> {
    let declared = args.declared.as_ref().and_then(|declared| declared.environment.as_ref());
    if args.env_file.is_none() && declared.is_none() {
        return Ok(None);
    }
    let provision = provision::for_deploy(session, app, scheduler);
    if let Some(file) = &args.env_file {
        of_file(session, app, file)?;
    }
    if let Some(bytes) = declared {
        ps_release::replace_environment(&session.world, app, Path::new("the declaration"), bytes)?;
    }
    Ok(provision)
}

/// Replaces the app's environment by the variables of a file. The file may be a pipe, or `-` for standard input; Ctrl-C ends the
/// wait for either.
fn of_file(session: &Session, app: &AppName, file: &Path) -> Result<()> {
    let bytes = durable::argument(file, MAX_ENV_FILE_BYTES, &|| session.check().is_err());
    session.check()?;
    let bytes = bytes.with_context(|| file.display().to_string())?;
    Ok(ps_release::replace_environment(&session.world, app, file, &bytes)?)
}

/// Restores the environment after a failed deploy. If that fails too, a warning is printed; the user gets the deploy's own
/// error.
pub(super) fn put_back(world: &World, app: &AppName) {
    if let Err(error) = world.put_back_environment(app) {
        let error = anyhow::Error::from(error);
        say::warning(&format!("the environment of {app} could not be put back: {error:#}"));
    }
}
