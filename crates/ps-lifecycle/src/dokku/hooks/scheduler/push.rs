//! `post-extract`: copies the tree that is about to be built, because a native app runs from this copy. Dokku removes its own
//! tree after the build.

use std::path::Path;

use anyhow::Result;
use formation::AppName;
use ps_apps::{SchedulerName, Scope, World};
use ps_cli::exit::Refusal;
use ps_scheduler_native::Native;

/// Copies `tree` for the deploy that follows, if the app's scheduler is `native`. If this hook fails, Dokku continues; then
/// `scheduler-deploy` finds that the copy is not complete, and refuses.
pub(super) fn push(world: &World, app: &str, tree: &Path, revision: &str) -> Result<()> {
    let app = super::named::named(app)?;
    if world.scheduler_name(&app)? != SchedulerName::Native {
        return Ok(());
    }
    let deploy = ps_dokku::deploy_pid()?;
    let trees = Native::new(world).source_trees(&app);
    trees.begin(&deploy)?;
    refuse_image(world, &app)?;
    trees.keep(tree, &deploy, revision)?;
    Ok(())
}

/// Refuses an app that was deployed from an image.
pub(super) fn refuse_image(world: &World, app: &AppName) -> Result<()> {
    match world.property("git", Scope::App(app), "source-image")?.filter(|image| !image.is_empty()) {
        Some(image) => Err(Refusal::failed(format!(
            "App {app} is deployed from image {image}, and an image cannot run natively: push its source, or \
             dokku scheduler:set {app} selected docker-local"
        ))),
        None => Ok(()),
    }
}
