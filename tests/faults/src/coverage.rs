//! Which calls were broken how often: a table of system calls by verbs, so that nobody takes an empty sweep for a
//! clean one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Points by verb and system call.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, BTreeMap<String, usize>>);

impl Coverage {
    /// Counts one more point.
    pub fn hit(&mut self, verb: &str, syscall: &str) {
        *self.0.entry(verb.to_owned()).or_default().entry(syscall.to_owned()).or_default() += 1;
    }

    /// Adds the points of another sweep.
    pub fn absorb(&mut self, other: Self) {
        for (verb, calls) in other.0 {
            for (syscall, count) in calls {
                *self.0.entry(verb.clone()).or_default().entry(syscall).or_default() += count;
            }
        }
    }

    /// All points.
    pub fn points(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// The points of one verb.
    pub fn of(&self, verb: &str) -> usize {
        self.0.get(verb).map_or(0, |calls| calls.values().sum())
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let syscalls: BTreeSet<&String> = self.0.values().flat_map(BTreeMap::keys).collect();
        write!(f, "{:<14}", "points")?;
        self.0.keys().try_for_each(|verb| write!(f, " {verb:>14}"))?;
        writeln!(f)?;
        for syscall in syscalls {
            write!(f, "{syscall:<14}")?;
            for calls in self.0.values() {
                write!(f, " {:>14}", calls.get(syscall).copied().unwrap_or_default())?;
            }
            writeln!(f)?;
        }
        write!(f, "{:<14}", "all")?;
        self.0.keys().try_for_each(|verb| write!(f, " {:>14}", self.of(verb)))
    }
}
