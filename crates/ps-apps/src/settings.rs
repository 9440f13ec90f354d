//! The effective value of a ps property for an app: the app's own value, or else the global one, or else the default. An
//! empty value counts as unset.

use std::time::Duration;

use formation::{AppName, RestartPolicy};

use crate::scope::Scope;
use crate::{Error, PsProperty, World};

/// The property that says whether an app is started again after a reboot.
pub const RESTORE: &str = "restore";
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Dokku's own default.
const DEFAULT_WAIT_TO_RETIRE: Duration = Duration::from_secs(60);

/// Where a value was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Set for one process type of the app.
    Type,
    /// The app's own.
    App,
    /// Set for all apps.
    Global,
    /// In the app.json of the app's source.
    AppJson,
    /// In the Compose file of the app's source.
    Compose,
    /// Nowhere: it is the default.
    Default,
}

impl Origin {
    /// Whether the value is set for one process type alone.
    pub fn is_of_a_type(self) -> bool {
        matches!(self, Self::Type | Self::AppJson | Self::Compose)
    }

    /// The name in JSON and on the terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::App => "app",
            Self::Global => "global",
            Self::AppJson => "app.json",
            Self::Compose => "compose",
            Self::Default => "default",
        }
    }
}

/// The effective value of a ps property for an app, or for all apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value as stored, or the default; `None` if there is neither.
    pub value: Option<String>,
    /// Where it was set.
    pub origin: Origin,
}

/// The meaning of the stored property `can-scale` ([`World::can_scale`]).
pub fn may_be_scaled(can_scale: Option<&str>) -> bool {
    can_scale.is_none_or(|value| value == "true")
}

impl World {
    /// The effective value of a property: the app's own, else the global one, else the default; empty counts as unset.
    pub fn ps_setting(&self, scope: Scope<'_>, property: &PsProperty) -> Result<Setting, Error> {
        let stored = |scope| -> Result<Option<String>, Error> {
            Ok(self.property("ps", scope, property.name)?.filter(|value| !value.is_empty()))
        };
        if let Scope::App(_) = scope
            && let Some(value) = stored(scope)?
        {
            return Ok(Setting { value: Some(value), origin: Origin::App });
        }
        if property.is_global
            && let Some(value) = stored(Scope::Global)?
        {
            return Ok(Setting { value: Some(value), origin: Origin::Global });
        }
        Ok(Setting { value: property.default.map(str::to_owned), origin: Origin::Default })
    }

    /// Whether the formation may be changed by hand: the property `can-scale` is `true` or not there. A deploy of an app.json
    /// that has counts sets it to `false` (docs/programs/ps-scale.md#what-a-change-does).
    pub fn can_scale(&self, app: &AppName) -> Result<bool, Error> {
        Ok(may_be_scaled(self.property("ps", Scope::App(app), "can-scale")?.as_deref()))
    }

    /// Whether the app is started again after a reboot: the property `restore`, which a stop by hand sets to `false`.
    pub fn is_restored(&self, app: &AppName) -> Result<bool, Error> {
        Ok(self.property("ps", Scope::App(app), RESTORE)?.as_deref() != Some("false"))
    }

    /// Stores whether the app is to be started again after a reboot: the property `restore`.
    pub fn set_restored(&self, app: &AppName, is_restored: bool) -> Result<(), Error> {
        self.set_property("ps", Scope::App(app), RESTORE, if is_restored { "true" } else { "false" })
    }

    /// A ps property of an app: its own value, else the global one; empty counts as unset.
    pub fn ps_property(&self, app: &AppName, key: &str) -> Result<Option<String>, Error> {
        let own = self.property("ps", Scope::App(app), key)?.filter(|value| !value.is_empty());
        match own {
            Some(value) => Ok(Some(value)),
            None => Ok(self.property("ps", Scope::Global, key)?.filter(|value| !value.is_empty())),
        }
    }

    /// The restart policy of the app; an invalid stored value counts as the default.
    pub fn restart_policy(&self, app: &AppName) -> Result<RestartPolicy, Error> {
        let stored = self.ps_property(app, "restart-policy")?;
        Ok(stored.and_then(|word| word.parse().ok()).unwrap_or_default())
    }

    /// The grace period, from SIGTERM to SIGKILL; an invalid stored value counts as the default, 30 s.
    pub fn stop_timeout(&self, app: &AppName) -> Result<Duration, Error> {
        let stored = self.ps_property(app, "stop-timeout-seconds")?;
        let seconds = stored.and_then(|word| word.parse().ok());
        Ok(seconds.map_or(DEFAULT_STOP_TIMEOUT, Duration::from_secs))
    }

    /// How long an old instance keeps running after clients are switched to its successor: the property `wait-to-retire` of
    /// `checks`, of the app, else of `--global`; an invalid stored value counts as the default, 60 s.
    pub fn wait_to_retire(&self, app: &AppName) -> Result<Duration, Error> {
        for scope in [Scope::App(app), Scope::Global] {
            let stored = self.property("checks", scope, "wait-to-retire")?;
            if let Some(seconds) = stored.and_then(|word| word.parse().ok()) {
                return Ok(Duration::from_secs(seconds));
            }
        }
        Ok(DEFAULT_WAIT_TO_RETIRE)
    }
}
