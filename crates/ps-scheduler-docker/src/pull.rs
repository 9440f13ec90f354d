//! Gets the image of a deploy: looks it up, and pulls it if it is missing or a newer one is requested.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ps_engine::{Fault, Logins, Pulled, Reference};
use ps_scheduler::{Error, Progress, Requester};

use crate::clock;
use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::interruptible::unless_cancelled;

/// The pause between two lines about a pull.
const PAUSE: Duration = Duration::from_secs(3);
/// No file of credentials is larger, in bytes.
const MAX_BYTES: u64 = 1 << 20;
const MIB: u64 = 1 << 20;

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// Not at all: it must be here.
    Never,
    /// If it is not here.
    #[default]
    Missing,
    /// In any case, so that a name that means another image by now is followed.
    Always,
}

impl DockerLocal {
    /// What names this image for good: `name@sha256:…` of its registry, else its id. It is here afterwards.
    pub fn settle_image(
        &self,
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
        self.pull(image, &reference, requester)?;
        let found = engine.run(engine.image(image));
        let found = found.map_err(|fault| failed(fault, format!("look for the image {image}")))?;
        Ok(found.settled(&reference))
    }

    fn pull(&self, image: &str, reference: &Reference, requester: &mut Requester<'_>) -> Result<(), Error> {
        let engine = self.engine()?;
        let logins = logins(requester);
        (requester.tell)(Progress::Note(format!("Pulling {image}")));
        let (tell, mut told) = (&mut *requester.tell, clock::now());
        let hear = |pulled: Pulled| {
            if clock::now().saturating_sub(told) >= PAUSE {
                told = clock::now();
                tell(Progress::Note(line(pulled)));
            }
        };
        let pulled = engine.run(unless_cancelled(requester.cancel, engine.pull(reference, &logins, hear)))?;
        pulled.map_err(|fault| match fault {
            Fault::Refused { message, .. } => Error::Backend {
                context: format!("pull the image {image}"),
                reason: advised(&message, reference.registry(), logins.helper(reference.registry())),
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

/// An image that never was in a registry has nothing but its id.
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

/// What the engine says of a pull that failed, and what to do about it.
pub(crate) fn advised(message: &str, registry: &str, helper: Option<&str>) -> String {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let advice = if has(&["denied", "unauthorized", "authentication required", "no basic auth"]) {
        match helper {
            Some(helper) => format!(
                "the credentials of {registry} are kept by docker-credential-{helper}, which is not asked here: docker pull it first, or write them into config.json with docker login"
            ),
            None => format!("look at the name, or log in as whoever deploys: docker login {registry}"),
        }
    } else if has(&["manifest unknown", "not found", "name unknown", "invalid reference"]) {
        "look at the name and the tag".to_owned()
    } else {
        format!("see that the registry {registry} answers this machine's engine, or load the image here")
    };
    format!("{}: {advice}", message.trim_end())
}

/// The registry credentials of the user who deploys. If the file cannot be parsed, a note names it, and the pull
/// continues without credentials.
pub(crate) fn logins(requester: &mut Requester<'_>) -> Logins {
    let Some(path) = config() else { return Logins::default() };
    let bytes = match durable::input(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(durable::ReadError::Missing) => return Logins::default(),
        Err(error) => return unread(requester, &path, &error.to_string()),
    };
    Logins::parse(&bytes).unwrap_or_else(|reason| unread(requester, &path, &reason))
}

fn unread(requester: &mut Requester<'_>, path: &Path, reason: &str) -> Logins {
    let text = format!("{} is not read, so no registry gets credentials: {reason}", path.display());
    (requester.tell)(Progress::Note(text));
    Logins::default()
}

/// Where Docker's own client keeps them.
fn config() -> Option<PathBuf> {
    let named = ps_apps::variable("DOCKER_CONFIG").map(PathBuf::from);
    let usual = || ps_apps::variable("HOME").map(|home| Path::new(&home).join(".docker"));
    Some(named.or_else(usual)?.join("config.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_followed_by_what_to_do() {
        let denied = advised("pull access denied for shop", "docker.io", None);
        assert!(denied.ends_with("docker login docker.io"), "{denied}");
        let kept = advised("unauthorized: authentication required", "r.example", Some("pass"));
        assert!(kept.contains("docker-credential-pass"), "{kept}");
        let unknown = advised("manifest for shop:2 not found: manifest unknown", "docker.io", None);
        assert!(unknown.ends_with("the name and the tag"), "{unknown}");
        let silent = advised("dial tcp 10.0.0.1:443: connect: connection refused", "r.example", None);
        assert!(silent.contains("the registry r.example answers"), "{silent}");
    }
}
