//! Selects lines by their content.

use log_store::Skim;
use ps_scheduler::LogLine;

use crate::pattern::Pattern;

/// Selects lines by their content.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    with: Vec<Pattern>,
    without: Vec<Pattern>,
}

impl Choice {
    /// Selects the lines that match one of the patterns in `with` (all lines, if `with` is empty) and none of those in `without`.
    pub fn of(with: Vec<Pattern>, without: Vec<Pattern>) -> Self {
        Self { with, without }
    }

    /// Whether all lines are selected.
    pub fn is_all(&self) -> bool {
        self.with.is_empty() && self.without.is_empty()
    }

    /// Whether the line is selected.
    pub fn is_wanted(&self, line: &LogLine) -> bool {
        let is_in = |pattern: &Pattern| pattern.is_in(&line.bytes);
        (self.with.is_empty() || self.with.iter().any(is_in)) && !self.without.iter().any(is_in)
    }

    /// A filter that skips lines without parsing them; `None` if this choice does not allow one.
    pub fn skim(&self) -> Option<Skim> {
        if self.with.is_empty() || !self.with.iter().all(Pattern::is_for_blocks) {
            return None;
        }
        let patterns = self.with.clone();
        Some(Skim::new(move |lines| patterns.iter().filter_map(|pattern| pattern.first_in(lines)).min()))
    }
}
