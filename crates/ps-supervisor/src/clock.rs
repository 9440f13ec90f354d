//! The supervisor's use of the wall clock: the schedules of its app, and the timer that wakes it for them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use formation::ProcessType;

use crate::schedule::Rule;

/// The schedules of an app, and the timer that wakes its supervisor for them.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) timer: OwnedFd,
    pub(crate) rules: BTreeMap<String, Rule>,
    /// Whether it has rung since it was looked at.
    pub(crate) has_rung: bool,
}

impl Clock {
    /// One that has to be looked at first of all.
    pub(crate) fn new(timer: OwnedFd, rules: BTreeMap<String, Rule>) -> Self {
        Self { timer, rules, has_rung: true }
    }

    /// How a type runs by its schedule, if it has one.
    pub(crate) fn rule(&self, process_type: &ProcessType) -> Option<&Rule> {
        self.rules.get(process_type.as_str())
    }
}
