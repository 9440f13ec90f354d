//! The builder `null` for native apps. Nothing has to be built for them, but Dokku deploys an app only if it has an image that
//! was released. So the app gets an empty image.

use anyhow::Result;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::exit::Refusal;
use ps_dokku::Caller;
use ps_release::brought;
use ps_scheduler_docker::DockerLocal;

const NULL: &str = "null";

/// `builder-build`: creates an image without files as the result of the build.
pub(super) fn build(world: &World, builder: &str, app: &str) -> Result<()> {
    match native(world, builder, app)? {
        Some(app) => {
            refuse_tasks(world, &app)?;
            Ok(DockerLocal::new(world).stand_in_image(&app)?)
        }
        None => Ok(()),
    }
}

/// `builder-release`: calls the triggers of a release, as Dokku's builders do, so that other plugins learn of it.
pub(super) fn release(world: &World, builder: &str, app: &str, tag: &str) -> Result<()> {
    let Some(app) = native(world, builder, app)? else { return Ok(()) };
    let image = format!("dokku/{app}:{tag}");
    let caller = Caller::new(world);
    for trigger in ["pre-release-builder", "post-release-builder"] {
        caller.stream(trigger, &[builder, app.as_str(), &image])?;
    }
    Ok(())
}

fn native(world: &World, builder: &str, app: &str) -> Result<Option<AppName>> {
    let app = super::named::named(app)?;
    let is_meant = builder == NULL && world.scheduler_name(&app)? == SchedulerName::Native;
    Ok(is_meant.then_some(app))
}

/// Refuses an app with a `release` process or with scripts in its app.json: Dokku would run them in the app's image, and
/// nothing can run in an empty image.
fn refuse_tasks(world: &World, app: &AppName) -> Result<()> {
    let has_release = brought::procfile(world, app)?.entries().any(|entry| entry.process_type().is_release());
    let app_json = brought::app_json(world, app)?;
    let task = if has_release { Some("a release process") } else { app_json.deploy_script() };
    match task {
        Some(task) => Err(Refusal::failed(format!(
            "App {app} has {task}, which Dokku runs in the app's image, and the builder null makes none: choose one that \
             does, for example dokku builder:set {app} selected dockerfile"
        ))),
        None => Ok(()),
    }
}
