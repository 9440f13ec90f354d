//! `rollback`: a kept release is deployed again, as a rollout like any other.

use anyhow::Result;
use formation::AppName;
use ps_apps::{App, KeptRelease, SchedulerName, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_scheduler::Error;
use ps_scheduler_docker::DockerLocal;

use crate::args::RollbackArgs;
use crate::session::Session;
use crate::{deploy, elsewhere};

const VERB: &str = "rollback";

pub(crate) fn run(session: &Session, args: &RollbackArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    session.of_app(VERB, &app.name, || rollback(session, &app, args.to))?;
    Ok(Outcome::Done)
}

fn rollback(session: &Session, app: &App, to: Option<u64>) -> Result<()> {
    let (world, name) = (&session.world, &app.name);
    elsewhere::refuse(world, name, VERB)?;
    session.required.check(world, name, None)?;
    let lock = session.lock(name)?;
    if !ps_dokku::is_deployed(world, name)? {
        return Err(Error::NotDeployed { app: name.clone() }.into());
    }
    let kept = chosen(world, name, to)?;
    refuse_without_image(world, name, &kept)?;
    session.step(&format!("Rolling {name} back to release {}, of {:.0}", kept.number, kept.at))?;
    deploy::of_kept(session, &lock, name, &kept)
}

/// The release of that number; without a number, the one before the running release. If the running release came from a rollback, it is
/// the one before the release that the rollback deployed again, so each rollback goes further back.
fn chosen(world: &World, app: &AppName, to: Option<u64>) -> Result<KeptRelease> {
    let newest = world.newest_release(app)?.unwrap_or(0);
    let number = match to {
        Some(number) => number,
        None => match world.kept_release(app, newest)? {
            Some(runs) => before(world, app, runs.restores.unwrap_or(newest))?,
            None => 0,
        },
    };
    if number > newest {
        return Err(Refusal::failed(format!(
            "{app} has no release {number} yet: {}",
            kept_ones(world, app)?
        )));
    }
    match world.kept_release(app, number)? {
        Some(kept) => Ok(kept),
        None if to.is_none() => Err(Refusal::failed(format!(
            "no release of {app} is kept from before the one that runs: {}",
            kept_ones(world, app)?
        ))),
        None => {
            Err(Refusal::failed(format!("release {number} of {app} is not kept: {}", kept_ones(world, app)?)))
        }
    }
}

/// The highest number below this one for which a release is kept; 0 if there is none. A damaged release is skipped, and a message names
/// it.
fn before(world: &World, app: &AppName, number: u64) -> Result<u64> {
    for kept in world.kept_releases(app)? {
        match kept {
            Ok(kept) if kept.number < number => return Ok(kept.number),
            Ok(_) => (),
            Err(error) => say::warning(&error.to_string()),
        }
    }
    Ok(0)
}

fn kept_ones(world: &World, app: &AppName) -> Result<String> {
    let numbers = world.kept_releases(app)?.into_iter().flatten().map(|kept| kept.number.to_string());
    let numbers: Vec<String> = numbers.collect();
    Ok(if numbers.is_empty() {
        "none is kept".to_owned()
    } else {
        format!("kept are {}", numbers.join(", "))
    })
}

/// Refuses a release whose image the engine no longer has, and warns if only the name of the image is known.
fn refuse_without_image(world: &World, app: &AppName, kept: &KeptRelease) -> Result<()> {
    let is_in_a_registry = kept.source.image.as_deref().is_some_and(|image| image.contains('@'));
    let scheduler = SchedulerName::from(kept.scheduler.as_str());
    let is_here = matches!(scheduler, SchedulerName::DockerLocal | SchedulerName::Swarm);
    if !is_here || is_in_a_registry || !kept.source.services.is_empty() {
        return Ok(());
    }
    let (number, place) = (kept.number, &kept.place);
    match kept.image.as_ref().or(kept.source.image.as_ref()) {
        Some(id) if DockerLocal::new(world).image_id(id)?.is_none() => Err(Refusal::failed(format!(
            "release {number} of {app} cannot come back: its image {place} ({id}) is not here any more"
        ))),
        Some(_) => Ok(()),
        None => {
            say::warning(&format!(
                "release {number} of {app} was kept without the id of its image: the image that is called {place} now is used"
            ));
            Ok(())
        }
    }
}
