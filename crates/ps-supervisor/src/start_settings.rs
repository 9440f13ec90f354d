//! The settings with which a run was started, of those that take effect at a start, so that a later report can show
//! which have changed since. No decision depends on them. In files they are an object from names to text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use type_settings::{Setting, TypeSettings};

/// Names and values, sorted by name. The list is nearly always empty, and then uses no memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct StartSettings(Box<[(Box<str>, Box<str>)]>);

impl StartSettings {
    /// Those of the settings of a type that a run has from its start on.
    pub(crate) fn of(settings: &TypeSettings) -> Self {
        let holding = Setting::all().iter().filter(|setting| setting.holds_from_start);
        let set = holding.filter_map(|setting| Some((setting.name, setting.text(settings)?)));
        Self(set.map(|(name, text)| (name.into(), text.into())).collect())
    }

    /// The value of a setting that holds from a start on; `None`: it was not set.
    #[must_use]
    pub fn text(&self, setting: &Setting) -> Option<&str> {
        self.0.iter().find(|(name, _)| **name == *setting.name).map(|(_, text)| &**text)
    }
}

impl From<BTreeMap<String, String>> for StartSettings {
    fn from(all: BTreeMap<String, String>) -> Self {
        Self(all.into_iter().map(|(name, text)| (name.into(), text.into())).collect())
    }
}

impl From<StartSettings> for BTreeMap<String, String> {
    fn from(all: StartSettings) -> Self {
        all.0.into_iter().map(|(name, text)| (name.into(), text.into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_from_a_start_on_reads_back_and_nothing_else_is_kept() {
        let settings = r#"{"nice":"5","stop-signal":"QUIT","user":"www-data"}"#;
        let settings: TypeSettings = serde_json::from_str(settings).expect("settings");
        let kept = StartSettings::of(&settings);
        let json = serde_json::to_string(&kept).expect("plain data");
        assert_eq!(json, r#"{"nice":"5","user":"www-data"}"#);
        assert_eq!(serde_json::from_str::<StartSettings>(&json).expect("readable"), kept);
        let text = |name| Setting::named(name).and_then(|setting| kept.text(setting));
        assert_eq!((text("nice"), text("umask"), text("stop-signal")), (Some("5"), None, None));
    }
}
