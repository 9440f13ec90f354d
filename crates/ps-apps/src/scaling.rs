//! The rule by which a formation changes (contract 6), pure: a stored formation and what is asked go in, the next stored
//! formation or a refusal comes out. Where Dokku forgets types whose instances still run, this remembers them in
//! `scale.old`: those removed from the Procfile, those dropped by a replacement, those of an earlier change.

use std::collections::BTreeSet;

use procfile::{InvalidProcessType, InvalidQuantity, MAX_QUANTITY, ProcessType, Quantity};

use crate::{StoredEntry, StoredFormation};

/// The type that every new app has; its count outlives a Procfile without it.
const FIRST_TYPE: &str = "web";
/// The type that runs once in each deploy and never as an instance.
const RELEASE: &str = "release";
/// How many slips of the finger lie between a name and the one that was probably meant.
const MAX_SLIPS: usize = 2;

/// One word `<type>=<count>`, `<type>+=<count>`, `<type>-=<count>` or `<type>=max`, taken apart. What it comes to
/// depends on the types that are known: one that is called `x-` wins over taking away from `x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedCount {
    name: String,
    count: CountWord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CountWord {
    Number(Quantity),
    Max,
}

/// Everything that decides what becomes of a stored formation.
#[derive(Clone, Copy, Debug)]
pub struct Scaling<'a> {
    /// The counts asked for, in the order in which they were named.
    pub asked: &'a [AskedCount],
    /// Whether types that are not named become 0, instead of keeping what they have.
    pub replaces: bool,
    /// The types of the Procfile; `None` if the app has none.
    pub known: Option<&'a BTreeSet<ProcessType>>,
    /// What `max` comes to: one instance per CPU.
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
    /// A type that the Procfile does not have cannot be scaled up.
    #[error("{name} is not in the Procfile, which has {known}{}", hint(nearest.as_deref()))]
    Unknown {
        /// The type asked for.
        name: String,
        /// The type that was probably meant.
        nearest: Option<String>,
        /// Every type of the Procfile, comma-separated.
        known: String,
    },
    /// More taken away than there is.
    #[error("process type {name} has {count}: {taken} cannot be taken away; {name}=0 stops every instance")]
    BelowZero {
        /// The type.
        name: String,
        /// What is wanted now.
        count: i64,
        /// What was to be taken away.
        taken: i64,
    },
    /// `release` has no instances.
    #[error(
        "release runs once in each deploy and is never scaled above 0: what is to run on needs another type"
    )]
    Release,
}

impl RefusedScaling {
    /// Dokku's own sentence for the same refusal, where it has one (contract 2.5).
    pub fn dokku_words(&self) -> Option<String> {
        match self {
            Self::MissingCount(word) => Some(format!("Missing count for process type {word}")),
            Self::Count(name, InvalidQuantity::NotANumber(_)) => {
                Some(format!("Invalid count for process type {name}"))
            }
            Self::Type(name, _) | Self::Unknown { name, .. } => {
                Some(format!("{name} is not a valid process name to scale up"))
            }
            Self::Count(..) | Self::NamedTwice(_) | Self::BelowZero { .. } | Self::Release => None,
        }
    }
}

impl AskedCount {
    /// Takes a word apart. Blanks around name and count do not count.
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
        Ok(Self { name, count })
    }

    /// What every new app has: `web=1`.
    pub fn of_a_new_app() -> Self {
        Self { name: FIRST_TYPE.to_owned(), count: CountWord::Number(Quantity::ONE) }
    }
}

impl Scaling<'_> {
    /// The formation that `before` becomes.
    pub fn apply(&self, before: &StoredFormation) -> Result<StoredFormation, RefusedScaling> {
        let mut merged: Vec<StoredEntry> = Vec::new();
        for asked in self.asked {
            let entry = self.resolve(asked, before)?;
            if merged.iter().any(|other| other.name == entry.name) {
                return Err(RefusedScaling::NamedTwice(entry.name));
            }
            self.check(&entry, before)?;
            merged.push(entry);
        }
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
        Ok(StoredFormation { scale, old })
    }

    fn resolve(&self, asked: &AskedCount, before: &StoredFormation) -> Result<StoredEntry, RefusedScaling> {
        let number = match asked.count {
            CountWord::Number(quantity) => i64::from(quantity.get()),
            CountWord::Max => i64::from(self.max.get()),
        };
        let is_name = self.is_known(&asked.name) || before.effective().contains_key(asked.name.as_str());
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

    fn check(&self, entry: &StoredEntry, before: &StoredFormation) -> Result<(), RefusedScaling> {
        let is_ending = entry.count == 0;
        if let Err(why) = entry.name.parse::<ProcessType>() {
            // An old line that nobody would accept today must have a way out.
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

    /// What becomes of a stored entry that is not named.
    fn unnamed(&self, stored: &StoredEntry) -> StoredEntry {
        let is_removed = self.known.is_some()
            && !self.is_known(&stored.name)
            && stored.name != FIRST_TYPE
            && stored.accepted().is_some();
        let count = if self.replaces || is_removed { 0 } else { stored.count };
        StoredEntry { name: stored.name.clone(), count }
    }

    /// Whether a stored entry goes without a trace: nothing of it can run.
    fn is_forgotten(&self, stored: &StoredEntry) -> bool {
        self.replaces && stored.count == 0
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
