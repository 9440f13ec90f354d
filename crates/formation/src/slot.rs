//! Slots: the places a formation has, `<type>.<n>` with n from 1. An instance fills a slot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ProcessType;

/// One place of a formation, which one instance fills; written `web.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The process type.
    pub process_type: ProcessType,
    /// The index within the type, from 1.
    pub index: u16,
}

/// Why a text is not a slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a process: write <type> or <type>.<n> with n from 1, for example web.1")]
pub struct InvalidSlot(pub String);

impl Slot {
    /// The slot `process_type.index`.
    pub fn new(process_type: ProcessType, index: u16) -> Self {
        Self { process_type, index }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.process_type, self.index))
    }
}

impl FromStr for Slot {
    type Err = InvalidSlot;

    fn from_str(word: &str) -> Result<Self, InvalidSlot> {
        let invalid = || InvalidSlot(word.chars().take(80).collect());
        let (name, index) = word.rsplit_once('.').ok_or_else(invalid)?;
        let plain = !index.starts_with(['0', '+']);
        let index = index.parse().ok().filter(|_| plain).ok_or_else(invalid)?;
        Ok(Self { process_type: name.parse().map_err(|_| invalid())?, index })
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which instances of an app are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Every instance of one type.
    Type(ProcessType),
    /// One instance.
    Slot(Slot),
}

impl Which {
    /// Whether `slot` is meant.
    pub fn includes(&self, slot: &Slot) -> bool {
        match self {
            Self::All => true,
            Self::Type(process_type) => *process_type == slot.process_type,
            Self::Slot(one) => one == slot,
        }
    }
}

impl FromStr for Which {
    type Err = InvalidSlot;

    /// `web` is a type, `web.1` is one instance.
    fn from_str(word: &str) -> Result<Self, InvalidSlot> {
        match word.parse() {
            Ok(process_type) => Ok(Self::Type(process_type)),
            Err(_) => word.parse().map(Self::Slot),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Type(process_type) => process_type.fmt(f),
            Self::Slot(slot) => slot.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_slots_types_or_refused() {
        assert_eq!("web.12".parse::<Slot>().map(|slot| slot.to_string()), Ok("web.12".into()));
        assert!(matches!("web".parse::<Which>(), Ok(Which::Type(_))));
        assert!(matches!("web.1".parse::<Which>(), Ok(Which::Slot(_))));
        for word in ["", ".", "web.", "web.0", "web.01", "web.-1", "web.+1", "web.70000", "a b.1", "web.1.1"]
        {
            assert!(word.parse::<Which>().is_err(), "{word}");
        }
    }
}
