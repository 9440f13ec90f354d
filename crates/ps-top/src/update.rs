//! Applies a message to the model, and returns the effects. Every change of the model goes through this function.

use crate::keys;
use crate::message::{Effect, Message};
use crate::model::Model;

/// Handles a message.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => {
            // A key refers to the visible list, so the list is updated first.
            let effects = model.settle();
            effects.into_iter().chain(keys::press(model, key)).collect()
        }
        message => model.handle(message),
    }
}

#[cfg(test)]
mod tests;
