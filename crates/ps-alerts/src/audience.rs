//! The recipients of an app's alerts: the webhook of the property, and the hooks of a trigger.

use std::fmt;

use formation::AppName;
use ps_apps::{PsProperty, WEBHOOK, World};
use ps_triggers::Triggers;

/// The trigger, which is called with the app and the name of the event.
pub const TRIGGER: &str = "on-event";

/// The address to which alerts are sent. It is a secret, because everybody who knows it can send there too.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(String);

impl Webhook {
    /// The address. It must be used only for the connection.
    pub fn address(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook([redacted])")
    }
}

/// The recipients of an app's alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The webhook of the app, else that of all apps.
    pub webhook: Option<Webhook>,
    /// Whether a plugin has a hook for [`TRIGGER`].
    pub has_hooks: bool,
}

/// Why the recipients are unknown. No message contains the address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The property cannot be read.
    #[error(transparent)]
    Property(#[from] ps_apps::Error),
    /// The stored value is no address.
    #[error(transparent)]
    Invalid(#[from] ps_apps::InvalidValue),
    /// The plugins cannot be read.
    #[error(transparent)]
    Plugins(#[from] ps_triggers::Error),
}

impl Audience {
    /// The recipients of this app's alerts.
    pub fn of(world: &World, app: &AppName) -> Result<Self, Error> {
        let webhook = world.ps_property(app, WEBHOOK)?;
        if let Some(address) = &webhook {
            PsProperty::named(WEBHOOK).expect("it is in the table").check(address)?;
        }
        let has_hooks = Triggers::new(world).is_implemented(TRIGGER)?;
        Ok(Self { webhook: webhook.map(Webhook), has_hooks })
    }

    /// Whether there are no recipients.
    pub fn is_empty(&self) -> bool {
        self.webhook.is_none() && !self.has_hooks
    }
}
