//! Whether an image can be had, asked before anything changes. A swarm finds out by tasks that are rejected, and by then it may have ended containers
//! of the release that runs: what it puts back, it puts back in new ones. And why a node could not get an image, which a swarm does not say.

use std::collections::{BTreeMap, BTreeSet};

use formation::ProcessType;
use ps_engine::{Fault, Reference};
use ps_scheduler::{Error, Progress, Release};
use registry_logins::Logins;

use crate::changes::ServiceChange;
use crate::failed::{backend, failed};
use crate::manager::Manager;
use crate::swarm_task::SwarmTask;

/// How a swarm says that a node does not have an image and could not pull it either.
const NO_IMAGE: &str = "No such image";

/// Refuses a change for which an image is needed that this machine does not have and no registry hands out. An image that is here may still be
/// missing elsewhere, which only the other nodes know.
pub(crate) async fn refuse_missing(manager: &Manager<'_>, images: &BTreeSet<&str>) -> Result<(), Error> {
    for image in images {
        match manager.engine.image(image).await {
            Ok(_) => continue,
            Err(fault) if fault.is_gone() => {}
            Err(fault) => return Err(failed(&fault, &format!("look for the image {image}"))),
        }
        let Err(fault) = described(manager, image).await else { continue };
        return Err(backend(&format!("deploy {}", manager.app), missing(manager.logins, image, &fault)));
    }
    Ok(())
}

/// Says of which registries the login could not be read. The nodes may have the image nevertheless, or need none for it.
pub(crate) fn remark_on_logins(
    logins: &Logins,
    release: &Release,
    changes: &BTreeMap<ProcessType, ServiceChange>,
    tell: &mut dyn FnMut(Progress),
) {
    let registries: BTreeSet<String> =
        needed(release, changes).into_iter().filter_map(Reference::registry_of).collect();
    for trouble in registries.iter().filter_map(|registry| logins.trouble(registry)) {
        tell(Progress::Note(format!("warning: {trouble}: nodes pull without one")));
    }
}

/// The images of the services that change.
pub(crate) fn needed<'a>(
    release: &'a Release,
    changes: &BTreeMap<ProcessType, ServiceChange>,
) -> BTreeSet<&'a str> {
    let specified = changes.iter().filter(|(_, change)| change.is_specified());
    specified.filter_map(|(process_type, _)| release.source.image(process_type)).collect()
}

/// What the registry of an image answers this machine's engine, with what the nodes ask it with.
async fn described(manager: &Manager<'_>, image: &str) -> Result<(), Fault> {
    let auth = Reference::registry_of(image).and_then(|registry| manager.logins.header(&registry));
    manager.engine.describe_in_registry(image, auth.as_deref()).await.map(drop)
}

fn missing(logins: &Logins, image: &str, fault: &Fault) -> String {
    let (reason, registry) = (fault.reason(), Reference::of(image).registry().to_owned());
    if Logins::is_refusal(reason) {
        let advice = logins.advice(reason, &registry);
        return format!(
            "this machine does not have the image {image}, and {registry} refuses to hand it out ({reason}): {advice}; nothing was changed"
        );
    }
    format!(
        "this machine does not have the image {image}, and no registry hands it out ({reason}): push it, or docker pull it here; nothing was changed"
    )
}

/// Whether this is the reason of a task that was rejected because its node could not get the image.
pub(crate) fn is_missing(reason: &str) -> bool {
    reason.contains(NO_IMAGE)
}

/// The reason for which a task failed; where its node could not get the image, with the name of the node and why.
pub(crate) async fn explained(
    manager: &Manager<'_>,
    image: Option<&str>,
    task: &SwarmTask,
    reason: String,
) -> Result<String, Error> {
    let Some(image) = image.filter(|_| is_missing(&reason)) else { return Ok(reason) };
    let (why, nodes) = (why_missing(manager, image).await, manager.nodes().await?);
    Ok(format!("{reason} ({} could not get it: {why})", nodes.name(task)))
}

/// Why nodes could not get an image, as a phrase with what to do. The registry is asked again, because a node tells nobody what it was answered.
pub(crate) async fn why_missing(manager: &Manager<'_>, image: &str) -> String {
    let Some(registry) = Reference::registry_of(image) else {
        return "no registry has it: push it, and deploy it by its name there".to_owned();
    };
    match described(manager, image).await {
        Ok(()) => format!(
            "{registry} hands it out to this machine: see that the engine of the node reaches {registry} and accepts its certificate, or docker pull it there"
        ),
        Err(fault) => format!("{}: {}", fault.reason(), manager.logins.advice(fault.reason(), &registry)),
    }
}
