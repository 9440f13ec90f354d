//! Whether an image has the shell that makes checks and exports variables in its containers. The image is looked at on this machine, and
//! nothing of it is run.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use formation::AppName;
use ps_engine::{Engine, Fault};
use ps_scheduler::Error;

use crate::failed::{backend, failed};
use crate::label;
use crate::swarm::Swarm;

/// What a container runs scripts with.
pub(crate) const SHELL: &str = "/bin/sh";

/// Whether an image has the shell.
pub(crate) async fn is_in(engine: &Engine, swarm: &Swarm, app: &AppName, image: &str) -> Result<bool, Fault> {
    let root = format!("{}={}", label::ROOT, swarm.world().root().display());
    engine.forget_dead_readers(&[root, format!("{}={app}", label::APP)]).await?;
    let name = format!("{app}.reading-{}", RandomState::new().hash_one(image) % 1_000_000_000);
    engine.image_has_program(image, SHELL, &name, reader(swarm, app)).await
}

/// The labels of a container by which the image is looked at. docker-local removes those of the app whose process has died, when the app is
/// deployed, retired or destroyed.
fn reader(swarm: &Swarm, app: &AppName) -> HashMap<String, String> {
    let labels = [(label::ROOT, swarm.world().root().display().to_string()), (label::APP, app.to_string())];
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The error of an image that could not be looked at.
pub(crate) fn of_image(fault: &Fault, app: &AppName, image: &str) -> Error {
    let what = format!("look at the image of {app}");
    if fault.is_gone() {
        backend(
            &what,
            format!("the engine of this machine does not have {image} any more: docker pull {image}"),
        )
    } else {
        failed(fault, &what)
    }
}
