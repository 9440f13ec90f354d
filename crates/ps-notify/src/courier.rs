//! Delivers alerts to the hooks and to the webhook, each alert to each of them by a thread of its own. Each of them has a deadline,
//! and a failure of one does not affect the others.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

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
    triggers: Option<Arc<Triggers>>,
    client: Option<Arc<Client>>,
}

/// An alert that is being delivered.
pub(crate) struct Delivery {
    /// Why the receivers could not be reached, in sentences without the address, when each of them is through.
    through: Vec<Receiver<Option<String>>>,
    failures: Vec<String>,
}

impl<'a> Courier<'a> {
    /// A courier for these receivers.
    pub(crate) fn new(world: &World, app: &'a AppName, audience: Audience) -> Self {
        let triggers =
            audience.has_hooks.then(|| Triggers::new(world).with_deadline(LIMIT).with_captured_stderr());
        Self {
            app,
            triggers: triggers.map(Arc::new),
            client: audience.webhook.map(Client::new).map(Arc::new),
        }
    }

    /// Begins to send an alert to all receivers.
    pub(crate) fn send(&self, alert: &Alert) -> Delivery {
        let json: Arc<str> = serde_json::to_string(alert).expect("an alert is plain data").into();
        let mut through = Vec::new();
        if let Some(triggers) = self.triggers.clone() {
            let (app, event, json) = (self.app.to_string(), alert.event, json.clone());
            through.push(begin(move || {
                let called = triggers.call_with_stdin(TRIGGER, &[&app, event], json.as_bytes());
                called.err().map(|error| triggers.told(&error))
            }));
        }
        if let Some(client) = self.client.clone() {
            through.push(begin(move || client.send(&json).err()));
        }
        Delivery { through, failures: Vec::new() }
    }
}

fn begin(deliver: impl FnOnce() -> Option<String> + Send + 'static) -> Receiver<Option<String>> {
    let (is_through, through) = mpsc::channel();
    let failed = is_through.clone();
    // Whoever started this waits for it, unless the whole process ends.
    let begun = thread::Builder::new().spawn(move || is_through.send(deliver()));
    if let Err(error) = begun {
        // Alerts come where a machine is at its limits.
        let _ = failed.send(Some(format!("nobody is told, because no thread can be started: {error}")));
    }
    through
}

impl Delivery {
    /// Waits until no receiver is tried any more, for this long at most. Returns whether that is so.
    pub(crate) fn wait(&mut self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while let Some(next) = self.through.first() {
            match next.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(failure) => self.failures.extend(failure),
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    self.failures.push("ps-notify has a fault".to_owned());
                }
            }
            self.through.remove(0);
        }
        true
    }

    /// Waits until no receiver is tried any more: each of them has a deadline. Returns which ones could not be reached, and why.
    pub(crate) fn failures(mut self) -> Vec<String> {
        while !self.wait(LIMIT) {}
        self.failures
    }
}
