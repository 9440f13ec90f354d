//! The effective settings of a process type. A property takes precedence over app.json, and app.json over a Compose file. Among
//! properties, that of the type takes precedence over that of the app, and that over the one for all apps. The files of an app
//! are read once for all its types.
//!
//! For example, `config/ps/shop/web.stop-timeout-seconds` is for `web` of `shop`, `config/ps/shop/stop-timeout-seconds` for all
//! its types, and `config/ps/--global/stop-timeout-seconds` for all apps.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use formation::{AppName, ProcessType};
use type_settings::{Setting, TypeSettings};

use crate::scope::Scope;
use crate::{Error, InvalidValue, Origin, PsProperty, World};

/// The properties of an app and of all apps that are settings of process types.
#[derive(Clone, Debug, Default)]
pub struct StoredSettings {
    /// By the type they are for; `None`: for all types of the app.
    own: BTreeMap<(Option<String>, &'static str), String>,
    global: BTreeMap<&'static str, String>,
}

/// The effective value of one setting for one type.
#[derive(Clone, Debug)]
pub struct EffectiveSetting {
    /// The setting.
    pub setting: &'static Setting,
    /// The value as it was set, or the default; `None` if there is neither.
    pub value: Option<String>,
    /// Where it was set.
    pub origin: Origin,
}

/// What the files of an app's source set for one type, as valid text.
#[derive(Clone, Debug, Default)]
pub struct OfSource {
    /// The values in app.json.
    pub app_json: Vec<(&'static Setting, String)>,
    /// The values in a Compose file for the type's service.
    pub compose: Vec<(&'static Setting, String)>,
}

/// One property with its value.
struct Property {
    process_type: Option<String>,
    setting: &'static Setting,
    text: String,
}

impl World {
    /// The settings of process types in properties. Inside Dokku these are the values of Dokku's own properties of the same
    /// names ([why](../../../docs/decisions/what-a-file-asks-for.md)).
    ///
    /// # Errors
    /// The properties cannot be read, or one is invalid. An invalid value of a property that Dokku knows is no error: it counts
    /// as unset.
    pub fn stored_settings(&self, app: &AppName) -> Result<StoredSettings, Error> {
        let mut stored = StoredSettings::default();
        for Property { process_type, setting, text } in self.settings_of(Scope::App(app))? {
            if process_type.is_some() || !setting.is_local {
                stored.own.insert((process_type, setting.name), text);
            }
        }
        let global = self.settings_of(Scope::Global)?.into_iter();
        stored.global = global
            .filter(|property| property.process_type.is_none() && !property.setting.is_local)
            .map(|property| (property.setting.name, property.text))
            .collect();
        Ok(stored)
    }

    fn settings_of(&self, scope: Scope<'_>) -> Result<Vec<Property>, Error> {
        let directory = self.config_dir("ps", scope);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", &directory, error)),
        };
        let mut found = Vec::new();
        for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            let Some((process_type, setting)) = self.understand(&name) else { continue };
            let Some(text) = self.property("ps", scope, &name)?.filter(|text| !text.is_empty()) else {
                continue;
            };
            if setting.accepts(&text) {
                found.push(Property { process_type, setting, text });
            } else if process_type.is_some() || !is_dokkus(setting) {
                let fault = setting.fault(&text).unwrap_or_default();
                let rule = format!("{fault}, or clear it: ps-set {} {name}", scope.as_str());
                let reason = InvalidValue::new(name.clone(), &text, rule).to_string();
                return Err(Error::Corrupt { path: directory.join(&name), line: None, reason });
            }
        }
        Ok(found)
    }

    /// The type and the setting that a file's name stands for.
    fn understand(&self, name: &str) -> Option<(Option<String>, &'static Setting)> {
        let (process_type, name) = match name.split_once('.') {
            Some((process_type, name)) => (Some(process_type.to_owned()), name),
            None => (None, name),
        };
        let setting = Setting::named(name)?;
        let is_heeded = !self.inside_dokku() || (process_type.is_none() && is_dokkus(setting));
        is_heeded.then_some((process_type, setting))
    }
}

impl StoredSettings {
    /// Every setting of a type, with its origin. If the elements of a value have names, those of a Compose file are kept in
    /// addition to those of other origins: the volume of a database stays when a property adds a mount.
    pub fn of_type(&self, process_type: &ProcessType, of_source: &OfSource) -> Vec<EffectiveSetting> {
        self.effective(Some(process_type.as_str()), of_source)
    }

    /// Every setting, as it is for a type that has no settings of its own.
    pub fn of_any_type(&self) -> Vec<EffectiveSetting> {
        self.effective(None, &OfSource::default())
    }

    fn effective(&self, name: Option<&str>, of_source: &OfSource) -> Vec<EffectiveSetting> {
        let effective = |setting: &'static Setting| {
            let own =
                |process_type: Option<&str>| self.own.get(&(process_type.map(str::to_owned), setting.name));
            let of = |file: &'_ [(&'static Setting, String)]| {
                file.iter().find(|(other, _)| other.name == setting.name).map(|(_, text)| text.clone())
            };
            let under = of(&of_source.compose);
            let found = name
                .and_then(|name| Some((own(Some(name))?, Origin::Type)))
                .or_else(|| own(None).map(|text| (text, Origin::App)))
                .or_else(|| self.global.get(setting.name).map(|text| (text, Origin::Global)))
                .map(|(text, origin)| (text.clone(), origin))
                .or_else(|| Some((of(&of_source.app_json)?, Origin::AppJson)));
            let (value, origin) = match (found, under) {
                (Some((over, origin)), Some(under)) => (Some(setting.laid_over(&over, &under)), origin),
                (Some((text, origin)), None) => (Some(text), origin),
                (None, Some(text)) => (Some(text), Origin::Compose),
                (None, None) => (setting.default.map(str::to_owned), Origin::Default),
            };
            EffectiveSetting { setting, value, origin }
        };
        Setting::all().iter().map(effective).collect()
    }

    /// The types that have settings of their own.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.own.keys().filter_map(|(process_type, _)| process_type.as_deref())
    }
}

/// The values that were set, as the settings of a type; each has been checked. Values that Dokku's properties set for the whole
/// app are left out: the app's own fields have them, and a stop by hand reads the value at that time.
pub fn heeded(effective: &[EffectiveSetting]) -> TypeSettings {
    let mut settings = TypeSettings::default();
    for EffectiveSetting { setting, value, origin } in effective {
        let is_heeded = match origin {
            Origin::Type | Origin::AppJson | Origin::Compose => true,
            Origin::App | Origin::Global => !is_dokkus(setting),
            Origin::Default => false,
        };
        if let Some(text) = value.as_ref().filter(|_| is_heeded) {
            let _ = setting.take(text, &mut settings);
        }
    }
    settings
}

/// Whether Dokku has a property of that name.
fn is_dokkus(setting: &Setting) -> bool {
    PsProperty::of_dokku().any(|property| property.name == setting.name)
}
