//! The settings of a type in a file: an object from names of the table to text. A reader ignores a name or a value that
//! only a later version knows.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::settings::TypeSettings;
use crate::table::{Setting, TABLE};

impl Serialize for TypeSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for setting in TABLE {
            if let Some(text) = setting.text(self) {
                map.serialize_entry(setting.name, &text)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for TypeSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = TypeSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from names of settings to text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TypeSettings, A::Error> {
        let mut settings = TypeSettings::default();
        while let Some((name, text)) = map.next_entry::<String, String>()? {
            if let Some(setting) = Setting::named(&name) {
                let _ = setting.take(&text, &mut settings);
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use formation::RestartPolicy;

    use super::*;
    use crate::value::Whole;

    #[test]
    fn what_was_set_reads_back_as_written_and_what_a_later_version_wrote_is_passed_over() {
        let text = r#"{"port":"3000","restart-policy":"no","stop-timeout-seconds":"5"}"#;
        let settings: TypeSettings = serde_json::from_str(text).expect("settings");
        assert_eq!(settings.restart_policy, Some(RestartPolicy::No));
        assert_eq!(serde_json::to_string(&settings).expect("JSON"), text);
        let later = r#"{"restart-policy":"at-full-moon","mood":"good","stop-timeout-seconds":"5"}"#;
        let settings: TypeSettings = serde_json::from_str(later).expect("settings");
        assert_eq!(settings.restart_policy, None);
        assert_eq!(settings.stop_timeout_seconds.map(Whole::unsigned), Some(5));
        assert!(serde_json::from_str::<TypeSettings>("{}").expect("settings").is_empty());
    }
}
