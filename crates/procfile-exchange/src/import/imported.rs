//! The result of an import.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use formation::Formation;
use serde_json::{Map, Value, json};

/// The result of an import.
#[derive(Clone, PartialEq)]
pub struct Imported {
    /// The Procfile; empty if no process type was found.
    pub procfile: Vec<u8>,
    /// How many instances of each type are wanted, in the order of the Procfile.
    pub formation: Formation,
    /// An env file; empty if there is no variable.
    pub env_file: Vec<u8>,
    /// A line for each thing that the Procfile and the env file cannot hold, without control characters and without values of variables.
    pub notes: Vec<String>,
    /// Further facts for a caller that applies the configuration as a whole.
    pub whole: Whole,
}

/// The content of a configuration other than commands, counts and variables. Empty unless the configuration is applied
/// as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// The name that the configuration gives to what it describes, if it gives one.
    pub name: Option<String>,
    /// The directory that the commands start in, by its whole path.
    pub directory: String,
    /// The counts in the configuration, by type, as `ps-scale` accepts them: a number, `max`, `-1` or `50%`.
    pub counts: BTreeMap<String, String>,
    /// The settings of each type, as keys of app.json's `formation`.
    pub settings: BTreeMap<String, Map<String, Value>>,
    /// The checks of each type, as in app.json's `healthchecks`.
    pub checks: BTreeMap<String, Vec<Value>>,
    /// When the instances of a type are to be restarted, by type, in the five fields of cron.
    pub restarts: BTreeMap<String, String>,
    /// The types that each variable of the env file was declared for; none: for all.
    pub variables: BTreeMap<String, BTreeSet<String>>,
    /// The types whose instances share the ports that they ask for.
    pub shared: BTreeSet<String>,
    /// Unknown keys, in their order.
    pub unknown: Vec<UnknownKey>,
}

/// An unknown key. Displays as one line that begins with its place: `program:web.autostrt is not known: did you mean
/// autostart?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// Its place in the file.
    pub place: String,
    /// The key that was probably meant.
    pub meant: Option<&'static str>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meant {
            Some(meant) => write!(f, "{} is not known: did you mean {meant}?", self.place),
            None => write!(f, "{} is not known, and not heeded", self.place),
        }
    }
}

impl Whole {
    /// Settings, checks and scheduled restarts as an app.json; `None` if there are none. `restart` is given a type, and returns the command
    /// that restarts it.
    pub fn app_json(&self, restart: impl Fn(&str) -> String) -> Option<Vec<u8>> {
        let mut document = Map::new();
        let mut put = |key: &str, value: Map<String, Value>| {
            if !value.is_empty() {
                document.insert(key.to_owned(), value.into());
            }
        };
        let settings = self.settings.iter().filter(|(_, settings)| !settings.is_empty());
        put("formation", settings.map(|(name, settings)| (name.clone(), settings.clone().into())).collect());
        let checks = self.checks.iter().filter(|(_, checks)| !checks.is_empty());
        put("healthchecks", checks.map(|(name, checks)| (name.clone(), checks.clone().into())).collect());
        let entry =
            |(name, schedule): (&String, &String)| json!({"command": restart(name), "schedule": schedule});
        let cron: Vec<Value> = self.restarts.iter().map(entry).collect();
        if !cron.is_empty() {
            document.insert("cron".to_owned(), cron.into());
        }
        if document.is_empty() {
            return None;
        }
        let mut json = serde_json::to_vec_pretty(&document).expect("it is plain data");
        json.push(b'\n');
        Some(json)
    }
}

impl fmt::Debug for Imported {
    /// The env file is left out, because it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let procfile = String::from_utf8_lossy(&self.procfile);
        f.debug_struct("Imported")
            .field("procfile", &procfile)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}
