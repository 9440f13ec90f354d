//! The rule by which a formation changes (docs/programs/ps-scale.md#what-a-change-does), as a pure function: it takes a stored
//! formation and the counts that were asked for, and returns the next stored formation or a refusal. Dokku forgets types whose
//! instances still run; here such types are kept in `scale.old` until a deploy has ended them. They are types that were removed
//! from the Procfile, that a replacement did not name, or that an earlier change put there.

use std::collections::BTreeSet;

use formation::{
    FIRST_TYPE, InvalidProcessType, InvalidQuantity, MAX_QUANTITY, ProcessType, Quantity, RELEASE,
};

use crate::{StoredEntry, StoredFormation};

/// How many types a change, a stored formation and a Procfile may each name.
const MAX_TYPES: usize = 10_000;
/// How many letters may be wrong, missing or too many in a name before another one is no longer suggested for it.
const MAX_SLIPS: usize = 2;

/// One argument `<type>=<count>`, `<type>+=<count>`, `<type>-=<count>` or `<type>=max`, parsed. Its meaning depends on the
/// types of the app: `x-=1` takes one away from `x`, but if there is a type called `x-`, it sets that type to 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedCount {
    name: String,
    count: CountWord,
    /// Whether a `+` or `-` at the end of the name may mean a change relative to the stored count.
    may_be_relative: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CountWord {
    Number(Quantity),
    Max,
    /// This many percent of `max`, at least 1.
    Share(u16),
    /// `max` minus this number.
    AllBut(u16),
}

/// The facts that decide how a stored formation changes.
#[derive(Clone, Copy, Debug)]
pub struct Scaling<'a> {
    /// The counts asked for, in the order in which they were named.
    pub asked: &'a [AskedCount],
    /// Whether types that are not named become 0, instead of keeping what they have.
    pub replaces: bool,
    /// The types of the Procfile; `None` if the app has none.
    pub known: Option<&'a BTreeSet<ProcessType>>,
    /// The Compose file whose services are the process types, if there is no Procfile.
    pub compose: Option<&'a str>,
    /// The value of `max`: one instance per CPU.
    pub max: Quantity,
    /// Whether `release` may have instances, as Dokku lets it.
    pub may_scale_release: bool,
}

/// Why a formation does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedScaling {
    /// A word without `=`.
    #[error("{0:?} has no count: write <type>=<count>, for example web=2")]
    MissingCount(String),
    /// The part after `=` is no count.
    #[error("process type {0}: {1}")]
    Count(String, InvalidQuantity),
    /// The part before `=` is no process type.
    #[error("{1}")]
    Type(String, InvalidProcessType),
    /// One type, two counts.
    #[error("process type {0} is named twice: name it once")]
    NamedTwice(String),
    /// The percentage is not between 1 and 100.
    #[error("process type {0}: {1} is no part of the CPUs: from 1% to 100%")]
    NoShare(String, String),
    /// Less than one instance is left if this many CPUs stay free.
    #[error(
        "process type {name}: all CPUs but {fewer} is no instance at all: this process may use {cpus}; {name}=0 stops every instance"
    )]
    TooFewCpus {
        /// The type.
        name: String,
        /// How many CPUs were to be left free.
        fewer: u16,
        /// How many CPUs this process may use.
        cpus: Quantity,
    },
    /// A type that the Procfile does not have cannot be scaled up.
    #[error(
        "{name} is not in {}, which has {known}{}",
        compose.as_deref().unwrap_or("the Procfile"),
        hint(nearest.as_deref())
    )]
    Unknown {
        /// The type asked for.
        name: String,
        /// The type that was probably meant.
        nearest: Option<String>,
        /// Every type of the Procfile, comma-separated.
        known: String,
        /// The Compose file whose services these are, if they are.
        compose: Option<String>,
    },
    /// More is subtracted than the stored count.
    #[error("process type {name} has {count}: {taken} cannot be taken away; {name}=0 stops every instance")]
    BelowZero {
        /// The type.
        name: String,
        /// What is wanted now.
        count: i64,
        /// How much was to be subtracted.
        taken: i64,
    },
    /// The formation would have more types than a file may hold.
    #[error("a formation of {0} types is too large: {MAX_TYPES} are allowed")]
    TooManyTypes(usize),
    /// `release` has no instances.
    #[error(
        "release runs once in each deploy and is never scaled above 0: what is to run on needs another type"
    )]
    Release,
}

impl AskedCount {
    /// Parses an argument. Blanks around name and count are ignored.
    pub fn parse(word: &str) -> Result<Self, RefusedScaling> {
        let Some((name, count)) = word.split_once('=') else {
            return Err(RefusedScaling::MissingCount(word.chars().take(80).collect()));
        };
        let name = name.trim().to_owned();
        let count = match count.trim() {
            "max" => CountWord::Max,
            digits => match digits.parse() {
                Ok(quantity) => CountWord::Number(quantity),
                Err(why) => return Err(RefusedScaling::Count(name.chars().take(80).collect(), why)),
            },
        };
        Ok(Self { name, count, may_be_relative: true })
    }

    /// Parses a line of a file, in which no count is relative: each deploy reads the file again, and `web+=1` would make the
    /// app grow with each deploy. So there `web+=1` names a type `web+`, which is refused.
    pub fn parse_in_file(word: &str) -> Result<Self, RefusedScaling> {
        Ok(Self { may_be_relative: false, ..Self::parse(word)? })
    }

    /// Parses an argument of a deploy, which may also ask for a part of the CPUs: `web=50%`, and `web=-1` for all but one.
    pub fn parse_share(word: &str) -> Result<Self, RefusedScaling> {
        let Some((name, count)) = word.split_once('=') else { return Self::parse(word) };
        let (name, count) = (name.trim().to_owned(), count.trim());
        let number =
            |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
        let count = match (count.strip_suffix('%').and_then(number), count.strip_prefix('-').and_then(number))
        {
            (Some(percent @ 1..=100), _) => CountWord::Share(percent),
            (Some(_), _) => return Err(RefusedScaling::NoShare(name, count.chars().take(40).collect())),
            (None, Some(fewer @ 1..)) => CountWord::AllBut(fewer),
            (None, _) => return Self::parse(word),
        };
        Ok(Self { name, count, may_be_relative: false })
    }

    /// This many of this type.
    pub fn exactly(process_type: &ProcessType, quantity: Quantity) -> Self {
        let name = process_type.to_string();
        Self { name, count: CountWord::Number(quantity), may_be_relative: false }
    }

    /// What every new app has: `web=1`.
    pub fn of_a_new_app() -> Self {
        let name = FIRST_TYPE.to_owned();
        Self { name, count: CountWord::Number(Quantity::ONE), may_be_relative: false }
    }
}

impl Scaling<'_> {
    /// The formation that `before` becomes.
    pub fn apply(&self, before: &StoredFormation) -> Result<StoredFormation, RefusedScaling> {
        self.resolve_all(before).map(|(formation, _)| formation)
    }

    /// [`Scaling::apply`], and the types that were asked for, in the order in which they were named: `x-=1` names `x`, unless
    /// there is a type called `x-`.
    pub fn resolve_all(
        &self,
        before: &StoredFormation,
    ) -> Result<(StoredFormation, Vec<String>), RefusedScaling> {
        let types = self.asked.len().max(before.scale.len()).max(self.known.map_or(0, BTreeSet::len));
        if types > MAX_TYPES {
            return Err(RefusedScaling::TooManyTypes(types));
        }
        let mut merged: Vec<StoredEntry> = Vec::new();
        for asked in self.asked {
            let entry = self.resolve(asked, before)?;
            if merged.iter().any(|other| other.name == entry.name) {
                return Err(RefusedScaling::NamedTwice(entry.name));
            }
            self.check(&entry, before)?;
            merged.push(entry);
        }
        let named = merged.iter().map(|entry| entry.name.clone()).collect();
        for stored in before.scale.iter().filter(|stored| !self.is_forgotten(stored)) {
            add(&mut merged, self.unnamed(stored));
        }
        for process_type in self.known.into_iter().flatten() {
            add(&mut merged, StoredEntry { name: process_type.to_string(), count: 0 });
        }
        let (mut old, scale): (Vec<_>, Vec<_>) =
            merged.into_iter().partition(|entry| entry.count == 0 && !self.is_known(&entry.name));
        for stored in &before.old {
            if !scale.iter().any(|entry| entry.name == stored.name) {
                add(&mut old, stored.clone());
            }
        }
        Ok((StoredFormation { scale, old }, named))
    }

    fn resolve(&self, asked: &AskedCount, before: &StoredFormation) -> Result<StoredEntry, RefusedScaling> {
        let number = i64::from(self.number(asked)?);
        let is_name = !asked.may_be_relative
            || self.is_known(&asked.name)
            || before.effective().contains_key(asked.name.as_str());
        let (base, is_up) = match (asked.name.strip_suffix('+'), asked.name.strip_suffix('-')) {
            (Some(base), _) if !is_name => (base, true),
            (_, Some(base)) if !is_name => (base, false),
            _ => return Ok(StoredEntry { name: asked.name.clone(), count: number }),
        };
        let stored = before.effective().get(base).copied().unwrap_or(0).max(0);
        let name = base.to_owned();
        match if is_up { stored + number } else { stored - number } {
            count if count < 0 => Err(RefusedScaling::BelowZero { name, count: stored, taken: number }),
            count if count > i64::from(MAX_QUANTITY) => {
                Err(RefusedScaling::Count(name, InvalidQuantity::TooLarge(count.to_string())))
            }
            count => Ok(StoredEntry { name, count }),
        }
    }

    /// The count as a number, on this machine.
    fn number(&self, asked: &AskedCount) -> Result<u16, RefusedScaling> {
        let cpus = self.max.get();
        match asked.count {
            CountWord::Number(quantity) => Ok(quantity.get()),
            CountWord::Max => Ok(cpus),
            // The product fits: a count is 10,000 at most, and 100 % is all of it.
            CountWord::Share(percent) => {
                let share = u32::from(cpus) * u32::from(percent) / 100;
                Ok(u16::try_from(share).unwrap_or(cpus).max(1))
            }
            CountWord::AllBut(fewer) if fewer >= cpus => {
                Err(RefusedScaling::TooFewCpus { name: asked.name.clone(), fewer, cpus: self.max })
            }
            CountWord::AllBut(fewer) => Ok(cpus - fewer),
        }
    }

    fn check(&self, entry: &StoredEntry, before: &StoredFormation) -> Result<(), RefusedScaling> {
        let is_ending = entry.count == 0;
        if let Err(why) = entry.name.parse::<ProcessType>() {
            // An old entry that would not be accepted today can still be set to 0, which removes it: otherwise nobody could get
            // rid of it.
            let is_stored = before.effective().contains_key(entry.name.as_str());
            return if is_ending && is_stored {
                Ok(())
            } else {
                Err(RefusedScaling::Type(entry.name.clone(), why))
            };
        }
        if is_ending {
            return Ok(());
        }
        if self.known.is_some() && !self.is_known(&entry.name) {
            return Err(self.unknown(&entry.name));
        }
        if entry.name == RELEASE && !self.may_scale_release {
            return Err(RefusedScaling::Release);
        }
        Ok(())
    }

    /// The next entry for a stored type that was not named.
    fn unnamed(&self, stored: &StoredEntry) -> StoredEntry {
        let is_removed = self.known.is_some()
            && !self.is_known(&stored.name)
            && stored.name != FIRST_TYPE
            && stored.accepted().is_some();
        let count = if self.replaces || is_removed { 0 } else { stored.count };
        StoredEntry { name: stored.name.clone(), count }
    }

    /// Whether a replacement may drop a stored entry: the type is in the Procfile, so it is added again with count 0.
    fn is_forgotten(&self, stored: &StoredEntry) -> bool {
        self.replaces && self.is_known(&stored.name)
    }

    fn is_known(&self, name: &str) -> bool {
        self.known.is_some_and(|types| types.contains(name))
    }

    fn unknown(&self, name: &str) -> RefusedScaling {
        let types = || self.known.into_iter().flatten().map(ProcessType::as_str);
        let distance = |other: &&str| strsim::osa_distance(name, other);
        let is_near = |other: &&str| distance(other) <= MAX_SLIPS && distance(other) < name.len();
        RefusedScaling::Unknown {
            name: name.to_owned(),
            nearest: types().filter(is_near).min_by_key(distance).map(str::to_owned),
            known: types().collect::<Vec<_>>().join(", "),
            compose: self.compose.map(str::to_owned),
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(": did you mean {name}?")).unwrap_or_default()
}

fn add(entries: &mut Vec<StoredEntry>, entry: StoredEntry) {
    if !entries.iter().any(|other| other.name == entry.name) {
        entries.push(entry);
    }
}

#[cfg(test)]
mod tests;
