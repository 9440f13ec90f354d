//! A command for an image that has an ENTRYPOINT.

use ps_engine::{ContainerCreateBody, Image, ImageKind, LAUNCHER};
use ps_release::in_container;

/// Adapts the command of a container to the image. The launcher of Cloud Native Buildpacks gets the command line. Any other
/// ENTRYPOINT gets the words of the command, if the command needs no shell and the values of all its variables are known before it
/// starts.
pub(crate) fn behind(body: ContainerCreateBody, command: &str, image: &Image) -> ContainerCreateBody {
    let is_replaced = body.entrypoint.is_some();
    if is_replaced || image.entrypoint.is_empty() {
        return body;
    }
    if ImageKind::of(image) == ImageKind::Buildpacks {
        return launched(body, vec![command.to_owned()]);
    }
    let own = body.env.as_deref().unwrap_or_default();
    match in_container::words_behind_entrypoint(command, &[own, &image.environment]) {
        Some(words) => ContainerCreateBody { cmd: Some(words), ..body },
        None => body,
    }
}

/// The container with words that a person has typed. An ENTRYPOINT gets them, as with `docker run`; the launcher of Cloud Native
/// Buildpacks runs them as a command.
pub(crate) fn with_words(body: ContainerCreateBody, words: &[String], image: &Image) -> ContainerCreateBody {
    if body.entrypoint.is_none() && ImageKind::of(image) == ImageKind::Buildpacks {
        return launched(body, [&["--".to_owned()][..], words].concat());
    }
    ContainerCreateBody { cmd: Some(words.to_vec()), ..body }
}

fn launched(body: ContainerCreateBody, arguments: Vec<String>) -> ContainerCreateBody {
    ContainerCreateBody { entrypoint: Some(vec![LAUNCHER.to_owned()]), cmd: Some(arguments), ..body }
}
