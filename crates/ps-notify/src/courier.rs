//! Delivers an alert to the hooks and to the webhook. Each of them has a deadline, and a failure of one does not affect
//! the others.

use std::time::Duration;

use formation::AppName;
use ps_alerts::{Alert, Audience, TRIGGER};
use ps_apps::World;
use ps_triggers::Triggers;

use crate::webhook::Client;

/// How long the hooks may take together.
const LIMIT: Duration = Duration::from_secs(10);

/// The receivers of alerts, and the means to reach them.
pub(crate) struct Courier<'a> {
    app: &'a AppName,
    triggers: Option<Triggers>,
    client: Option<Client>,
}

impl<'a> Courier<'a> {
    /// A courier for these receivers.
    pub(crate) fn new(world: &World, app: &'a AppName, audience: Audience) -> Self {
        let triggers =
            audience.has_hooks.then(|| Triggers::new(world).with_deadline(LIMIT).with_captured_stderr());
        Self { app, triggers, client: audience.webhook.map(Client::new) }
    }

    /// Sends an alert. Returns which receivers could not be reached and why, in sentences without the address.
    pub(crate) fn tell(&mut self, alert: &Alert) -> Vec<String> {
        let json = serde_json::to_string(alert).expect("an alert is plain data");
        let arguments = [self.app.as_str(), alert.event];
        let hooks = self.triggers.as_ref().and_then(|triggers| {
            let called = triggers.call_with_stdin(TRIGGER, &arguments, json.as_bytes());
            called.err().map(|error| triggers.told(&error))
        });
        let sent = self.client.as_mut().and_then(|client| client.send(&json).err());
        hooks.into_iter().chain(sent).collect()
    }
}
