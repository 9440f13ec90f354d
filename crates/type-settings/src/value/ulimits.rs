//! Limits of processes, under the names that the engine has for them.

use std::fmt;
use std::str::FromStr;

use super::elements;

/// Every name that the engine knows.
const NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];
const UNLIMITED: &str = "unlimited";
/// The engine's number for "no limit".
const NONE: i64 = -1;

/// A list of limits, at most one of each name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimits(Vec<NamedLimit>);

/// A limit with its name: `nofile=1024:2048`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLimit {
    /// Its name: `nofile`.
    pub name: String,
    /// The limit that applies; -1 means no limit.
    pub soft: i64,
    /// The highest value to which the process itself may raise the soft limit; -1 means no limit.
    pub hard: i64,
}

impl Ulimits {
    /// The limits in their order.
    pub fn iter(&self) -> impl Iterator<Item = &NamedLimit> {
        self.0.iter()
    }

    /// These limits, with those of a more general value that have other names.
    #[must_use]
    pub fn over(&self, under: &Self) -> Self {
        Self(elements::laid_over(&self.0, &under.0, |limit| &limit.name))
    }
}

impl FromStr for Ulimits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        elements::of_different_names(text, limit, |limit| &limit.name).map(Self)
    }
}

fn limit(element: &str) -> Result<NamedLimit, String> {
    let (name, value) = element.split_once('=').ok_or_else(|| {
        format!("{element:?} has no value: use a name and soft and hard limit, such as nofile=1024:2048")
    })?;
    if !NAMES.contains(&name) {
        return Err(format!("{name:?} is no ulimit: use one of {}", NAMES.join(", ")));
    }
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    let (Some(soft), Some(hard)) = (number(soft), number(hard)) else {
        return Err(format!(
            "{value:?} is no limit of {name}: use a whole number or {UNLIMITED}, or a soft and a hard one with : between them"
        ));
    };
    if hard != NONE && (soft == NONE || soft > hard) {
        return Err(format!("the soft limit of {name} in {element:?} is above its hard one"));
    }
    Ok(NamedLimit { name: name.to_owned(), soft, hard })
}

fn number(text: &str) -> Option<i64> {
    if [UNLIMITED, "-1"].contains(&text) {
        return Some(NONE);
    }
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for NamedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |limit: i64| if limit == NONE { UNLIMITED.to_owned() } else { limit.to_string() };
        write!(f, "{}={}", self.name, word(self.soft))?;
        if self.hard == self.soft { Ok(()) } else { write!(f, ":{}", word(self.hard)) }
    }
}

impl fmt::Display for Ulimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
