//! Which lines of a series are selected.

use std::time::SystemTime;

use crate::last_lines::Place;

/// Which lines of a series are selected; by default all of them.
///
/// Times are exact to the second, or better if much is written at a time. A line whose time is not known is selected: rather
/// too much is read than too little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Only lines that came at that time or later.
    pub since: Option<SystemTime>,
    /// Only lines that had arrived by then.
    pub until: Option<SystemTime>,
    /// Only lines before that place, such as the beginning of the present run.
    pub before: Option<Place>,
    /// Only that many of the last lines of the selection.
    pub last: Option<usize>,
}

impl Range {
    /// That many of the last lines; `None`: all of them.
    pub fn last(lines: Option<usize>) -> Self {
        Self { last: lines, ..Self::default() }
    }
}
