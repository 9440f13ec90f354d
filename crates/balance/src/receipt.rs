//! What a change of what runs has meant for clients.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a rollout has meant for clients. Its fields stand in journals and events: some may be added, none is renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Connections, since the rollout began, to runs that were there before.
    pub before: u64,
    /// Connections to runs that came in.
    pub after: u64,
    /// The same connections, by the number of the release that the run had. A restart has one release before and after.
    pub releases: Vec<OfRelease>,
    /// Connections that no run took.
    pub refused: u64,
    /// Connections that were open when their run was withdrawn, and ended by themselves in time.
    pub drained: u64,
    /// By run: how many connections were open when its time to end them was up.
    pub cut: BTreeMap<String, u64>,
    /// Whether `ps-balance` was there from the beginning to the end: else what it had counted is missing, and its connections were lost.
    pub is_whole: bool,
}

/// The connections to runs of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfRelease {
    /// Its number.
    pub release: u64,
    /// How many.
    pub connections: u64,
}

impl Receipt {
    /// How many connections were cut, of all runs.
    pub fn cut_in_all(&self) -> u64 {
        self.cut.values().sum()
    }

    /// Whether no connection failed.
    pub fn has_none_failed(&self) -> bool {
        self.is_whole && self.refused == 0 && self.cut_in_all() == 0
    }

    /// Whether there is nothing to say: no client has come.
    pub fn is_empty(&self) -> bool {
        self.has_none_failed() && self.before + self.after == 0
    }

    /// What failed, for people: `1 refused, 3 cut (web.1@1: 3)`; `none failed`.
    pub fn failures(&self) -> String {
        if self.has_none_failed() {
            return "none failed".to_owned();
        }
        let cut: Vec<String> = self.cut.iter().map(|(run, count)| format!("{run}: {count}")).collect();
        let runs = if cut.is_empty() { String::new() } else { format!(" ({})", cut.join(", ")) };
        let lack = if self.is_whole {
            ""
        } else {
            "; ps-balance ended meanwhile, and what it had counted is missing"
        };
        format!("{} refused, {} cut{runs}{lack}", self.refused, self.cut_in_all())
    }
}

/// `connections: 20 to earlier instances, 30 to new ones, 1 refused, 3 cut (web.1@1: 3)`.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, drained, .. } = self;
        write!(f, "connections: {before} to earlier instances, {after} to new ones, ")?;
        if *drained > 0 {
            write!(f, "{drained} drained, ")?;
        }
        f.write_str(&self.failures())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_line_and_has_no_words_for_what_did_not_happen() {
        let mut receipt = Receipt { before: 1, after: 2, is_whole: true, ..Receipt::default() };
        assert_eq!(receipt.to_string(), "connections: 1 to earlier instances, 2 to new ones, none failed");
        (receipt.drained, receipt.refused) = (4, 1);
        receipt.cut = [("web.1@1".to_owned(), 3)].into();
        assert_eq!(
            receipt.to_string(),
            "connections: 1 to earlier instances, 2 to new ones, 4 drained, 1 refused, 3 cut (web.1@1: 3)"
        );
        assert!(!receipt.has_none_failed() && !receipt.is_empty());
        receipt = Receipt::default();
        assert!(!receipt.has_none_failed(), "it is not known");
        receipt.is_whole = true;
        assert!(receipt.is_empty());
    }
}
