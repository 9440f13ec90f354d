//! `tag`, `tags` and `untag`: names for images of an app, by which they can be deployed again. Inside Dokku the plugin
//! `tags` calls these verbs.

mod table;

use std::io::{self, Write};

use anyhow::Result;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_scheduler_docker::{DockerLocal, ImageTag};
use serde_json::json;

use crate::args::{TagArgs, TagsArgs};
use crate::dokku::apps;
use crate::session::Session;

/// The longest tag, in characters.
const LONGEST: usize = 128;

/// Lists the tags.
pub(crate) fn list(session: &Session, args: &TagsArgs) -> Result<Outcome> {
    let app = visible(session, &args.app)?;
    let docker = DockerLocal::new(&session.world);
    let tags = docker.tags(&app)?;
    if !args.json {
        session.fact(&format!("Image tags for {}", docker.repository(&app)))?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        for tag in &tags {
            let created = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(tag.created)?;
            let (repository, id, size) = (&tag.repository, &tag.id, tag.size);
            let row = json!({
                "app": app.as_str(), "repository": repository, "tag": tag.tag, "image": id,
                "created": created.to_string(), "size_bytes": size,
            });
            writeln!(out, "{row}")?;
        }
    } else {
        table::write(&mut out, &tags)?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Gives the image that the app runs a tag.
pub(crate) fn create(session: &Session, args: &TagArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = visible(session, &args.app)?;
    let tag = legal(args.tag.as_deref())?;
    refuse_native(world, &app)?;
    let _lock = session.lock(&app)?;
    let docker = DockerLocal::new(world);
    let image =
        docker.running_image(&app)?.ok_or_else(|| ps_scheduler::Error::NotDeployed { app: app.clone() })?;
    docker.tag(&app, &image, tag)?;
    session.fact(&format!("Added {tag} tag to {}", docker.repository(&app)))?;
    Ok(Outcome::Done)
}

/// Removes a tag that is not in use.
pub(crate) fn destroy(session: &Session, args: &TagArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = visible(session, &args.app)?;
    let tag = find(world, &app, args.tag.as_deref())?;
    let _lock = session.lock(&app)?;
    let docker = DockerLocal::new(world);
    let kept = world.kept_releases(&app)?.into_iter().flatten().filter_map(|kept| kept.image);
    let name = format!("{}:{}", tag.repository, tag.tag);
    let deployed = world.deployed(&app)?.map(|deployed| deployed.place);
    if let Some(need) = docker.need_of(&app, &tag, &kept.collect::<Vec<_>>(), deployed.as_deref())? {
        return Err(Refusal::failed(format!("{name} is not removed: {need}")));
    }
    docker.untag(&app, &tag.tag)?;
    writeln!(io::stdout(), "Untagged: {name}")?;
    Ok(Outcome::Done)
}

/// The app's tag of that name; the error names the existing ones.
pub(crate) fn find(world: &World, app: &AppName, tag: Option<&str>) -> Result<ImageTag> {
    let tag = legal(tag)?;
    refuse_native(world, app)?;
    let docker = DockerLocal::new(world);
    let tags = docker.tags(app)?;
    let names: Vec<String> = tags.iter().map(|tag| tag.tag.clone()).collect();
    tags.into_iter().find(|found| found.tag == tag).ok_or_else(|| {
        let there = if names.is_empty() { "no tags".to_owned() } else { names.join(", ") };
        Refusal::failed(format!("{} has no tag {tag}: it has {there}", docker.repository(app)))
    })
}

fn visible(session: &Session, app: &str) -> Result<AppName> {
    if session.world.inside_dokku() {
        apps::named(session, Some(app))
    } else {
        Ok(session.world.app(app)?.name)
    }
}

fn refuse_native(world: &World, app: &AppName) -> Result<()> {
    match world.scheduler_name(app)? {
        SchedulerName::Native => Err(Refusal::failed(format!(
            "{app} runs natively and has no images: ps-lifecycle releases {app} lists what it can go back to"
        ))),
        SchedulerName::DockerLocal | SchedulerName::Swarm | SchedulerName::External(_) => Ok(()),
    }
}

/// The tag, if the engine accepts it.
fn legal(tag: Option<&str>) -> Result<&str> {
    let Some(tag) = tag.filter(|tag| !tag.is_empty()) else {
        let words = "Please specify a tag to run the command on";
        return Err(if say::inside_dokku() { Refusal::failed(words) } else { Refusal::usage(words) });
    };
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let begins_well = tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if begins_well && tag.len() <= LONGEST && tag.bytes().all(is_legal) {
        return Ok(tag);
    }
    let shown: String = tag.chars().take(80).collect();
    Err(Refusal::failed(format!(
        "{shown:?} is no tag: letters, digits, '_', '.' and '-', {LONGEST} at most, no '.' or '-' first"
    )))
}
