//! The properties of Dokku's plugin `checks` for an app in containers: which types have no startup checks, which types
//! end before their new instances start, and how long an instance without startup checks must live.

use std::collections::BTreeSet;
use std::time::Duration;

use formation::{AppName, ProcessType};
use ps_apps::{Scope, World};
use type_settings::Checking;

use crate::Error;

const PLUGIN: &str = "checks";
/// How long an instance without startup checks must live, as in Dokku.
const USUAL_UPTIME: Duration = Duration::from_secs(10);
/// A longer time counts as a mistake, in seconds.
const MAX_SECONDS: u64 = 86_400;

/// The properties of one app; empty for the native scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// How long an instance without startup checks must live.
    pub(crate) uptime: Duration,
    pub(crate) disabled: Types,
    pub(crate) skipped: Types,
}

/// Some process types, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    All,
    These(BTreeSet<String>),
}

impl Default for Types {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Types {
    /// `_all_`, or names with commas between them.
    pub(crate) fn read(text: &str) -> Self {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        if names.contains("_all_") { Self::All } else { Self::These(names) }
    }

    pub(crate) fn has(&self, process_type: &ProcessType) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(process_type.as_str()),
        }
    }
}

impl Gate {
    /// The properties of an app. An invalid number counts as not set.
    pub(crate) fn of(world: &World, app: &AppName) -> Result<Self, Error> {
        let own = |name| world.property(PLUGIN, Scope::App(app), name);
        let types = |name| own(name).map(|value| Types::read(&value.unwrap_or_default()));
        let uptime = match own("default-wait")? {
            Some(seconds) => Some(seconds),
            None => world.property(PLUGIN, Scope::Global, "default-wait")?,
        };
        let seconds = uptime.and_then(|text| text.parse().ok()).filter(|seconds| *seconds <= MAX_SECONDS);
        let uptime = seconds.map_or(USUAL_UPTIME, Duration::from_secs);
        Ok(Self { uptime, disabled: types("disabled")?, skipped: types("skipped")? })
    }

    pub(crate) fn checking(&self, process_type: &ProcessType) -> Checking {
        match (self.disabled.has(process_type), self.skipped.has(process_type)) {
            (true, _) => Checking::Disabled,
            (false, true) => Checking::Skipped,
            (false, false) => Checking::Asked,
        }
    }
}
