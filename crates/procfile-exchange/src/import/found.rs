//! A process that a reader found in a configuration, in the words that all readers share.

use serde_json::{Map, Value};

use crate::import::command::Command;

/// A process that was found.
#[derive(Clone)]
pub(crate) struct Found {
    /// Its name in the configuration.
    pub(crate) name: String,
    pub(crate) command: Command,
    /// How many instances are wanted.
    pub(crate) count: u64,
    pub(crate) environment: Vec<(String, String)>,
    /// The directory that it starts in, if the configuration names one.
    pub(crate) directory: Option<String>,
    /// Whether it is all of its process type, or one of several instances.
    pub(crate) instance: Instance,
    /// What is read of it only where the configuration is to be applied as a whole.
    pub(crate) asked: Asked,
}

impl Found {
    /// A variable PORT with a port in it becomes what it means: the port of the first instance.
    pub(crate) fn take_port(&mut self) {
        let is_port = |(name, value): &(String, String)| name == "PORT" && value.parse::<u16>().is_ok();
        if let Some(at) = self.environment.iter().position(is_port) {
            let (_, port) = self.environment.remove(at);
            self.asked.set("port", port.parse::<u16>().ok());
        }
    }
}

/// What a configuration asks for a process beside its command, its variables and its directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The count that the configuration names, in the words of `ps-scale`.
    pub(crate) count: Option<String>,
    /// Settings, by their keys in app.json.
    pub(crate) settings: Map<String, Value>,
    /// Health checks, as in app.json.
    pub(crate) checks: Vec<Value>,
    /// The processes that it waits for, by their names in the configuration, each with what it waits for: `ready`.
    pub(crate) after: Vec<(String, &'static str)>,
    /// When it is to be restarted, in the five fields of cron.
    pub(crate) restarts: Option<String>,
    /// Whether its instances share the ports that they ask for.
    pub(crate) shares_ports: bool,
}

impl Asked {
    /// Sets what can be set for a process type.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.settings.insert(key.to_owned(), value.into());
    }
}

/// How a process that was found belongs to a process type. Managers that know no counts have one entry for each instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instance {
    /// The entry is the whole process type.
    Alone,
    /// The entry is one instance; the others have the same name and command.
    OneOf,
    /// The entry may be one instance, because its name ends in a number.
    Numbered {
        /// The name without the number.
        process_type: String,
        number: u64,
        /// Whether the configuration says so in another way, too. Then a single entry `web-1` is an instance of `web`; otherwise it needs
        /// an entry `web-2` beside it.
        certain: bool,
    },
}

impl Instance {
    /// What the end of a name says: `web-2`, `web.2` and `web_2` may be the second instance of `web`.
    pub(crate) fn of_name(name: &str, certain: bool) -> Self {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let process_type = stem.strip_suffix(['-', '.', '_']).filter(|stem| !stem.is_empty());
        match (process_type, name[stem.len()..].parse()) {
            (Some(process_type), Ok(number)) => {
                Self::Numbered { process_type: process_type.to_owned(), number, certain }
            }
            _ => Self::Alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_in_a_number_may_be_an_instance() {
        let of = |name| match Instance::of_name(name, false) {
            Instance::Numbered { process_type, number, .. } => Some((process_type, number)),
            Instance::Alone | Instance::OneOf => None,
        };
        assert_eq!(of("app-web-1"), Some(("app-web".to_owned(), 1)));
        assert_eq!(of("web.12"), Some(("web".to_owned(), 12)));
        assert_eq!((of("web"), of("web1"), of("-1"), of("1")), (None, None, None, None));
    }
}
