//! Gets the image of a deploy before the deploy begins: if it cannot be pulled or built, the deploy is refused before
//! anything has changed. The files that a source directory would have are read from the image.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use app_json::Script;
use formation::AppName;
use ps_apps::{KeptRelease, SchedulerName, SourceRecord, World};
use ps_release::{Checkout, FilesOfImage, ImageOf, Source};
use ps_scheduler::Progress;
use ps_scheduler_docker::{BuildOrder, DockerLocal, Pull, Recipe};

use crate::session::Session;
use crate::{compose, sources};

/// Provides the image of a checkout, and records its id in the checkout. A native checkout needs no image.
pub(crate) fn provide(session: &Session, app: &AppName, checkout: &mut Checkout, pull: Pull) -> Result<()> {
    let docker = DockerLocal::new(&session.world);
    let settle = |image: &str| {
        session.with_requester(app, |requester| docker.settle_image(app, image, pull, requester))
    };
    let arguments = &checkout.record.build_args;
    let order = |directory: &Path, recipe: Recipe, arguments: &BTreeMap<String, String>| BuildOrder {
        directory: directory.to_owned(),
        recipe,
        arguments: arguments.clone(),
        target: String::new(),
        pull,
    };
    let order = match checkout.image() {
        ImageOf::Nothing => return Ok(()),
        ImageOf::Name(image) => {
            let image = settle(image)?;
            checkout.settle(image.clone());
            return read_files(session, app, &docker, checkout, &image);
        }
        ImageOf::Dockerfile { directory, file } => {
            order(directory, Recipe::Dockerfile(file.to_owned()), arguments)
        }
        ImageOf::Base { directory, image } => {
            order(directory, Recipe::Over(settle(image)?), &BTreeMap::new())
        }
        ImageOf::Compose { .. } => return compose::provide(session, app, &docker, checkout, pull),
    };
    session.step(&format!("Building {app} from {}...", order.directory.display()))?;
    let built = session.with_requester(app, |requester| docker.build(app, &order, requester))?;
    checkout.settle(built);
    Ok(())
}

/// The image that a checkout names.
pub(crate) fn name_of(checkout: &Checkout) -> Option<String> {
    match checkout.image() {
        ImageOf::Name(image) => Some(image.to_owned()),
        _ => None,
    }
}

/// Says that an image which was not pulled because it is here is another one in its registry by now. Docker's own client looks there whenever it
/// makes or updates a service.
pub(crate) fn say_if_moved(session: &Session, app: &AppName, image: &str) {
    let docker = DockerLocal::new(&session.world);
    session.with_requester(app, |requester| {
        if let Some(moved) = docker.newer_elsewhere(app, image, requester) {
            (requester.tell)(Progress::Note(moved));
        }
    });
}

/// Makes sure that the images of an earlier release exist: those that ran then, even if their names now stand for other images.
pub(crate) fn look_up(session: &Session, app: &AppName, checkout: &mut Checkout) -> Result<()> {
    let docker = DockerLocal::new(&session.world);
    let settle = |image: &str| {
        session.with_requester(app, |requester| docker.settle_image(app, image, Pull::Missing, requester))
    };
    match &checkout.source {
        Source::Directory(_) => {}
        Source::Image(image) => {
            let image = settle(image)?;
            checkout.settle(image);
        }
        Source::Services(services) => {
            for service in services.values() {
                settle(&service.image)?;
            }
        }
    }
    Ok(())
}

/// Removes what no kept release needs: images that were built and archives that were unpacked. What cannot be removed is left to the
/// next deploy.
pub(crate) fn tidy(session: &Session, app: &AppName, checkout: &Checkout) {
    let _ = try_tidy(session, app, checkout);
}

fn try_tidy(session: &Session, app: &AppName, checkout: &Checkout) -> Result<()> {
    let world = &session.world;
    world.forget_source_trees(app)?;
    let builds = !matches!(checkout.image(), ImageOf::Nothing | ImageOf::Name(_));
    let now = if world.is_app(app)? { world.source_record(app)? } else { SourceRecord::default() };
    let is_prepared =
        checkout.parsed_app_json()?.script(Script::Predeploy).is_some() || now.prepared.is_some();
    let makes_images = builds || is_prepared && matches!(checkout.source, Source::Image(_));
    if !makes_images {
        return Ok(());
    }
    if !world.is_app(app)? {
        return Ok(DockerLocal::new(world).forget_app(app)?);
    }
    // If a release's record is damaged, it is not known which image it needs, and every image stays.
    let kept = world.kept_releases(app)?.into_iter().collect::<Result<Vec<_>, _>>()?;
    forget_all_but(world, app, &kept, &now)?;
    Ok(())
}

fn forget_all_but(
    world: &World,
    app: &AppName,
    kept: &[KeptRelease],
    now: &SourceRecord,
) -> Result<Vec<String>> {
    let sources = kept.iter().map(|release| &release.source).chain([now]);
    let needed = sources.flat_map(SourceRecord::images).map(str::to_owned).collect();
    Ok(DockerLocal::new(world).forget_images(app, &needed)?)
}

/// Removes the images of an app in containers that no release needs, and returns their names. If another verb is changing the app,
/// nothing is removed, because that verb may just have built an image.
pub(crate) fn retire(session: &Session, app: &AppName) -> Result<Vec<String>> {
    let world = &session.world;
    if world.inside_dokku() || !has_images(world, app)? {
        return Ok(Vec::new());
    }
    let Some(_lock) = session.lock_unless(app, || Ok(true))? else { return Ok(Vec::new()) };
    let releases: Result<Vec<_>, _> = world.kept_releases(app)?.into_iter().collect();
    match (world.is_app(app)?, releases) {
        (true, Ok(kept)) => forget_all_but(world, app, &kept, &world.source_record(app)?),
        // If a release's record is damaged, it is unknown which image it needs, so every image stays.
        (false, _) | (true, Err(_)) => Ok(Vec::new()),
    }
}

/// Whether an app runs images.
fn has_images(world: &World, app: &AppName) -> Result<bool> {
    Ok(matches!(world.scheduler_name(app)?, SchedulerName::DockerLocal | SchedulerName::Swarm))
}

/// Removes all images and networks of an app that is destroyed.
pub(crate) fn forget(session: &Session, app: &AppName) -> Result<()> {
    if has_images(&session.world, app)? {
        DockerLocal::new(&session.world).forget_app(app)?;
    }
    Ok(())
}

/// Reads from an image the files that a directory would have beside its Procfile.
fn read_files(
    session: &Session,
    app: &AppName,
    docker: &DockerLocal,
    checkout: &mut Checkout,
    image: &str,
) -> Result<()> {
    let world = &session.world;
    let named = world.ps_property(app, "procfile-path")?;
    let app_json = sources::app_json_path(world, app)?;
    let wanted = FilesOfImage::new(named.as_deref(), &app_json);
    let files = docker.image_files(app, image, &wanted.paths())?;
    Ok(checkout.take_files(&wanted, files)?)
}
