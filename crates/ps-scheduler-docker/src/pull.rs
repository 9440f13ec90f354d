//! Gets the image of a deploy: looks it up, and pulls it if it is missing or a newer one is requested.

use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_engine::{Fault, Pulled, Reference};
use ps_scheduler::{Error, Progress, Requester};
use registry_logins::Logins;

use crate::clock;
use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::interruptible::unless_cancelled;

/// The pause between two lines about a pull.
const PAUSE: Duration = Duration::from_secs(3);
const MIB: u64 = 1 << 20;

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// Never: the engine must have the image.
    Never,
    /// If the engine does not have the image.
    #[default]
    Missing,
    /// In any case, so that the image is renewed if its name means another one by now.
    Always,
}

impl DockerLocal {
    /// The permanent name of this image of an app: `name@sha256:…` of its registry, else its id. The engine has the image
    /// afterwards.
    pub fn settle_image(
        &self,
        app: &AppName,
        image: &str,
        pull: Pull,
        requester: &mut Requester<'_>,
    ) -> Result<String, Error> {
        let engine = self.engine()?;
        let reference = Reference::of(image);
        if pull != Pull::Always {
            match engine.run(engine.image(image)) {
                Ok(found) => return Ok(found.settled(&reference)),
                Err(fault) if !fault.is_gone() => {
                    return Err(failed(fault, format!("look for the image {image}")));
                }
                Err(_) if pull == Pull::Never => return Err(missing(image)),
                Err(_) if image.starts_with("sha256:") => return Err(gone(image)),
                Err(_) => {}
            }
        }
        self.pull(app, image, requester)?;
        let found = engine.run(engine.image(image));
        let found = found.map_err(|fault| failed(fault, format!("look for the image {image}")))?;
        Ok(found.settled(&reference))
    }

    /// That the registry of an image has another one under the same name as the one that this engine has; `None`: it has not, the name is not of
    /// a tag in a registry, or the registry does not say.
    pub fn newer_elsewhere(
        &self,
        app: &AppName,
        image: &str,
        requester: &mut Requester<'_>,
    ) -> Option<String> {
        let (engine, reference) = (self.engine().ok()?, Reference::of(image));
        reference.tag.as_ref().filter(|_| reference.digest.is_none())?;
        let found = engine.run(engine.image(image)).ok()?;
        // What was built here is in no registry.
        found.settled(&reference).contains('@').then_some(())?;
        let auth = logins(self.world(), app, requester).header(reference.registry());
        let described = engine.run(engine.describe_in_registry(image, auth.as_deref())).ok()?;
        let digest = described["Descriptor"]["digest"].as_str()?;
        let is_here = found.digests.iter().any(|here| here.ends_with(&format!("@{digest}")));
        (!is_here).then(|| {
            format!(
                "warning: {} has another image as {image} by now, and this deploys the one that this machine has: --pull always gets the other one",
                reference.registry()
            )
        })
    }

    fn pull(&self, app: &AppName, image: &str, requester: &mut Requester<'_>) -> Result<(), Error> {
        let (engine, reference) = (self.engine()?, Reference::of(image));
        let logins = logins(self.world(), app, requester);
        (requester.tell)(Progress::Note(format!("Pulling {image}")));
        let (tell, mut told) = (&mut *requester.tell, clock::now());
        let hear = |pulled: Pulled| {
            if clock::now().saturating_sub(told) >= PAUSE {
                told = clock::now();
                tell(Progress::Note(line(pulled)));
            }
        };
        let pulled =
            engine.run(unless_cancelled(requester.cancel, engine.pull(&reference, &logins, hear)))?;
        pulled.map_err(|fault| match fault {
            Fault::Refused { message, .. } => Error::Backend {
                context: format!("pull the image {image}"),
                reason: format!("{}: {}", message.trim_end(), logins.advice(&message, reference.registry())),
            },
            fault => failed(fault, format!("pull the image {image}")),
        })
    }
}

fn missing(image: &str) -> Error {
    Error::Backend {
        context: format!("use the image {image}"),
        reason: "the engine does not have it, and --pull never keeps it from being pulled: pull or build it, or leave --pull away".to_owned(),
    }
}

/// An image that never was in a registry has only its id.
fn gone(image: &str) -> Error {
    Error::Backend {
        context: format!("use the image {image}"),
        reason: "the engine does not have it any more, and no registry knows an image by its id: name one with --image".to_owned(),
    }
}

fn line(pulled: Pulled) -> String {
    let Pulled { layers, of_layers, bytes, of_bytes } = pulled;
    format!("{layers} of {of_layers} layers, {} of {} MiB", bytes / MIB, of_bytes.div_ceil(MIB))
}

/// The registry credentials for the images of an app. If they cannot be read, a note says so, and the pull continues without
/// credentials.
pub(crate) fn logins(world: &World, app: &AppName, requester: &mut Requester<'_>) -> Logins {
    world.registry_logins(app).unwrap_or_else(|unread| {
        (requester.tell)(Progress::Note(format!("{unread}: no registry gets credentials")));
        Logins::default()
    })
}
