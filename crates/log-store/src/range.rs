//! Which lines of a series are selected.

use std::time::SystemTime;

use crate::last_lines::Place;

/// Which lines of a series are wanted; by default all of them.
///
/// Times are known to the second, or better where much is written at a time. A line whose times are not known is taken to be
/// wanted: rather too much is read than too little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Only what came at that time or later.
    pub since: Option<SystemTime>,
    /// Only what had come by then.
    pub until: Option<SystemTime>,
    /// Only what stands before that place, such as the beginning of the present run.
    pub before: Option<Place>,
    /// Only so many of the last lines of that.
    pub last: Option<usize>,
}

impl Range {
    /// So many of the last lines; `None`: all of them.
    pub fn last(lines: Option<usize>) -> Self {
        Self { last: lines, ..Self::default() }
    }
}
