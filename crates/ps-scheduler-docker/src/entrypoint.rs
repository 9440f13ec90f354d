//! A command for an image that has an ENTRYPOINT.

use ps_engine::{ContainerCreateBody, Image};
use ps_release::in_container;

/// The same container with the words of its command, where the image has an ENTRYPOINT, the command needs no shell, and the values of
/// all its variables are known before it starts.
pub(crate) fn behind(body: ContainerCreateBody, command: &str, image: &Image) -> ContainerCreateBody {
    let is_replaced = body.entrypoint.is_some();
    if is_replaced || image.entrypoint.is_empty() {
        return body;
    }
    let own = body.env.as_deref().unwrap_or_default();
    match in_container::words_behind_entrypoint(command, &[own, &image.environment]) {
        Some(words) => ContainerCreateBody { cmd: Some(words), ..body },
        None => body,
    }
}
