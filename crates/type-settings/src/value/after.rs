//! The types that a type waits for before it starts.

use std::fmt;
use std::str::FromStr;

use formation::{Milestone, ProcessType};

/// A list of other types, each of them once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After(Vec<Awaited>);

/// One element of the list: `db`, `db:started`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The other type.
    pub process_type: ProcessType,
    /// The milestone that its instances must have reached, if one was given.
    pub milestone: Option<Milestone>,
}

impl After {
    /// The elements in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Awaited> {
        self.0.iter()
    }
}

impl FromStr for After {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut list: Vec<Awaited> = Vec::new();
        for element in text.split(',') {
            let awaited: Awaited = element.trim().parse()?;
            if list.iter().any(|other| other.process_type == awaited.process_type) {
                return Err(());
            }
            list.push(awaited);
        }
        Ok(Self(list))
    }
}

impl FromStr for Awaited {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, word) = text.split_once(':').map_or((text, None), |(name, word)| (name, Some(word)));
        let process_type = name.parse().map_err(|_| ())?;
        let of_word = |word: &str| Milestone::ALL.into_iter().find(|milestone| milestone.as_str() == word);
        let milestone = word.map(|word| of_word(word).ok_or(())).transpose()?;
        Ok(Self { process_type, milestone })
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, awaited) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{awaited}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.process_type)?;
        match self.milestone {
            Some(milestone) => write!(f, ":{}", milestone.as_str()),
            None => Ok(()),
        }
    }
}
