//! `--env-as-secrets`: sets the setting of that name for the whole app, from this deploy on.

use anyhow::Result;
use ps_apps::{SchedulerName, Scope, World};
use ps_cli::exit::Refusal;
use ps_release::Release;

use crate::args::DeployArgs;

const NAME: &str = "env-as-secrets";

/// The release with the value that the deploy sets. A type that has a property of its own keeps its value.
///
/// # Errors
/// The app does not run on a swarm, or a property cannot be read.
pub(super) fn give(
    world: &World,
    mut release: Release,
    args: &DeployArgs,
    scheduler: &SchedulerName,
) -> Result<Release> {
    let Some(switch) = args.env_as_secrets else { return Ok(release) };
    if *scheduler != SchedulerName::Swarm {
        return Err(Refusal::usage(format!(
            "--{NAME} is for apps on a swarm, and {} runs via {scheduler}",
            release.app
        )));
    }
    release.others.env_as_secrets = Some(switch);
    for process in &mut release.processes {
        let own =
            world.property("ps", Scope::App(&release.app), &format!("{}.{NAME}", process.process_type))?;
        if own.is_none_or(|own| own.is_empty()) {
            process.settings.env_as_secrets = Some(switch);
        }
    }
    Ok(release)
}

/// The property that the deploy writes.
pub(super) fn property(args: &DeployArgs) -> Option<(String, String)> {
    args.env_as_secrets.map(|switch| (NAME.to_owned(), switch.to_string()))
}
