//! The tasks of a deploy: commands that each run once, to their end, before its instances start or when they run.

use std::collections::VecDeque;

use formation::{ProcessType, RELEASE, Slot, with_last_words};
use ps_release::{Release, Source};

use crate::Error;

/// How many of the last lines of a failed task are in its error.
pub const LAST_LINES: usize = 10;

/// A command that belongs to a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name, such as `release` or `predeploy`. The settings of this type apply.
    pub process_type: ProcessType,
    /// The command line, for `/bin/sh -c`.
    pub command: String,
    /// What happens to the deploy if the task fails.
    pub effect: Effect,
}

/// What happens to a deploy if one of its tasks fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The deploy ends before anything of the old release is touched.
    NothingChanges,
    /// The new release runs on.
    NewReleaseRuns,
}

impl Task {
    /// A task of this name.
    pub fn new(name: &str, command: &str, effect: Effect) -> Self {
        Self { process_type: ProcessType::of_legal(name), command: command.to_owned(), effect }
    }

    /// The `release` process of a release, if it has one.
    pub fn of_release(release: &Release) -> Option<Self> {
        if matches!(release.source, Source::Services(_)) {
            // Any service of a Compose file may be called `release`, and runs an image of its own.
            return None;
        }
        let process = release.processes.iter().find(|process| process.process_type.is_release())?;
        Some(Self::new(RELEASE, process.command.as_deref()?, Effect::NothingChanges))
    }

    /// The name of its only run.
    pub fn slot(&self) -> Slot {
        Slot::new(self.process_type.clone(), 1)
    }

    /// The error of a deploy that this task made fail. `how` is a phrase that follows the task's name, `last` the last lines
    /// that it wrote.
    pub fn failed(&self, release: &Release, how: &str, last: &VecDeque<String>) -> Error {
        let command = self.command.lines().next().unwrap_or_default();
        let aftermath = match self.effect {
            Effect::NothingChanges => "nothing was changed",
            Effect::NewReleaseRuns => "the new release runs",
        };
        let reason = format!("{how}: it ran `{command}`; {aftermath}");
        Error::deploy_failed(&release.app, &self.slot(), with_last_words(&reason, last))
    }
}
