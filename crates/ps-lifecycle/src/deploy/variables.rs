//! The variables of `--env-file`: they replace the app's variables until the deploy is recorded. If it fails, the
//! earlier ones are put back.

use std::path::Path;

use anyhow::{Context, Result};
use env_files::MAX_ENV_FILE_BYTES;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::say;
use ps_release::Release;
use ps_scheduler_native::Provision;

use crate::args::DeployArgs;
use crate::provision;
use crate::session::Session;

/// What a declaration is called in messages about its variables.
const DECLARATION: &str = "the declaration";

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
        ps_release::replace_environment(&session.world, app, Path::new(DECLARATION), bytes)?;
    }
    Ok(provision)
}

/// Replaces the app's environment by the variables of a file.
fn of_file(session: &Session, app: &AppName, file: &Path) -> Result<()> {
    let bytes = read(session, file)?;
    Ok(ps_release::replace_environment(&session.world, app, file, &bytes)?)
}

/// The release with the variables that a deploy would set, which are not written.
pub(super) fn give(session: &Session, release: Release, args: &DeployArgs) -> Result<Release> {
    let declared = args.declared.as_ref().and_then(|declared| declared.environment.as_ref());
    let (file, bytes) = match (&args.env_file, declared) {
        (_, Some(bytes)) => (Path::new(DECLARATION), bytes.clone()),
        (Some(file), None) => (file.as_path(), read(session, file)?),
        (None, None) => return Ok(release),
    };
    Ok(ps_release::with_environment(release, &session.world, file, &bytes)?)
}

/// The bytes of a file, which may be a pipe, or `-` for standard input; Ctrl-C ends the wait for either.
fn read(session: &Session, file: &Path) -> Result<Vec<u8>> {
    let bytes = durable::argument(file, MAX_ENV_FILE_BYTES, &|| session.check().is_err());
    session.check()?;
    bytes.with_context(|| file.display().to_string())
}

/// Restores the environment after a failed deploy. If that fails too, a warning is printed; the user gets the deploy's own
/// error.
pub(super) fn put_back(world: &World, app: &AppName) {
    if let Err(error) = world.put_back_environment(app) {
        let error = anyhow::Error::from(error);
        say::warning(&format!("the environment of {app} could not be put back: {error:#}"));
    }
}
