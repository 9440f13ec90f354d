//! Networks of the engine, by their names.

use std::fmt;
use std::str::FromStr;

use super::elements;

/// Words for networks in which a container has no address of its own, or that the engine reserves.
const MODES: [&str; 3] = ["default", "host", "none"];

/// Networks, each once; the first one is that in which clients find an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Vec<String>);

impl Networks {
    /// The names in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = elements::split(text)?;
        if let Some(name) = names.iter().find(|name| MODES.contains(&name.as_str()) || name.contains(':')) {
            return Err(format!(
                "{name:?} is no network that an instance has an address of its own in: use the name of one, as docker network ls shows it"
            ));
        }
        if let Some(name) = names.iter().find(|name| !elements::is_name(name)) {
            return Err(format!("{name:?} is no name of a network: letters, digits, _, . and -"));
        }
        match elements::twice(names.iter().map(String::as_str)) {
            Some(name) => Err(format!("{name} is there twice")),
            None => Ok(Self(names)),
        }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
