//! Options of the engine for a container that have no setting of their own: a list of the allowed ones, by name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::amount::Size;
use super::elements;
use super::switch::Switch;

/// An option that may be set.
struct Allowed {
    name: &'static str,
    /// Which values it takes.
    rule: &'static str,
    is_valid: fn(&str) -> bool,
    /// Whether the option may be given several times.
    is_many: bool,
}

const fn one(name: &'static str, rule: &'static str, is_valid: fn(&str) -> bool) -> Allowed {
    Allowed { name, rule, is_valid, is_many: false }
}

const fn many(name: &'static str, rule: &'static str, is_valid: fn(&str) -> bool) -> Allowed {
    Allowed { name, rule, is_valid, is_many: true }
}

/// The allowed options. Any other option has a setting of its own, is decided by the scheduler (names, ports, restarts), or
/// weakens the separation of a container from the host (privileged, namespaces of the host).
const ALLOWED: &[Allowed] = &[
    many("cap-add", "a capability such as NET_ADMIN", is_capability),
    many("cap-drop", "a capability such as NET_RAW, or ALL", is_capability),
    one("cpu-shares", "a whole number, 2 to 262144", |text| {
        text.parse().is_ok_and(|shares| (2..=262_144).contains(&shares))
    }),
    one("cpuset-cpus", "numbers of CPUs such as 0-2", |text| {
        text.bytes().all(|byte| byte.is_ascii_digit() || b"-,".contains(&byte))
    }),
    many(
        "device",
        "a device of the host such as /dev/fuse, with its path in the container behind a : if need be",
        |text| text.starts_with("/dev/"),
    ),
    many("dns", "the address of a name server", |text| text.parse::<IpAddr>().is_ok()),
    many("dns-option", "an option of resolv.conf such as ndots:2", is_word),
    many("dns-search", "a domain", is_word),
    many("group-add", "the name or the number of a group", is_word),
    one("hostname", "the name of a host", elements::is_name),
    one("log-driver", "a log driver of the engine, such as local", elements::is_name),
    many("log-opt", "an option of the log driver such as max-size=10m", is_pair),
    one("memory-reservation", "a size such as 64m", |text| text.parse::<Size>().is_ok()),
    one("read-only", "yes or no", |text| text.parse::<Switch>().is_ok()),
    one("shm-size", "a size such as 64m", |text| text.parse::<Size>().is_ok()),
    many("sysctl", "a parameter of the kernel such as net.core.somaxconn=1024", is_pair),
    many(
        "tmpfs",
        "a path in the container, with options behind a : if need be, such as /run:size=64m",
        |text| text.starts_with('/'),
    ),
    one("user", "a user of the image, by name or number, with :group behind it if need be", is_word),
    one("workdir", "a whole path in the container", |text| text.starts_with('/')),
];

/// Options with their values, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions(Vec<EngineOption>);

/// One option: `shm-size=64m`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOption {
    /// Its name, one of the list.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

impl EngineOptions {
    /// The options in their order.
    pub fn iter(&self) -> impl Iterator<Item = &EngineOption> {
        self.0.iter()
    }

    /// All values of an option.
    pub fn of(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|option| option.name == name).map(|option| &*option.value).collect()
    }

    /// The values of an option that are themselves `name=value`, such as those of `sysctl`.
    pub fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        self.of(name).into_iter().filter_map(|value| value.split_once('=')).collect()
    }
}

impl FromStr for EngineOptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let options: Vec<EngineOption> =
            elements::split(text)?.iter().map(|one| option(one)).collect::<Result<_, _>>()?;
        let single = ALLOWED.iter().filter(|allowed| !allowed.is_many);
        let is_twice =
            |allowed: &&Allowed| options.iter().filter(|option| option.name == allowed.name).count() > 1;
        match single.into_iter().find(is_twice) {
            Some(allowed) => Err(format!("{} is there twice", allowed.name)),
            None => Ok(Self(options)),
        }
    }
}

fn option(element: &str) -> Result<EngineOption, String> {
    let (name, value) = element.split_once('=').unwrap_or((element, ""));
    // An option may be written as on a command line or as in a JSON file.
    let name = &*name.trim().trim_start_matches("--").replace('_', "-");
    let Some(allowed) = ALLOWED.iter().find(|allowed| allowed.name == name) else {
        let names: Vec<&str> = ALLOWED.iter().map(|allowed| allowed.name).collect();
        return Err(format!("the engine's option {name:?} is not allowed: use one of {}", names.join(", ")));
    };
    let value = value.trim();
    if value.is_empty() || !(allowed.is_valid)(value) {
        return Err(format!("{name} cannot be {value:?}: use {}", allowed.rule));
    }
    Ok(EngineOption { name: allowed.name, value: value.to_owned() })
}

fn is_capability(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_word(text: &str) -> bool {
    !text.contains(char::is_whitespace)
}

fn is_pair(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_word(name))
}

impl fmt::Display for EngineOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl fmt::Display for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
