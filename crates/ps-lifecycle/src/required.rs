//! `--require zero-failed`: the exit status is 1 if connections of clients failed during a rollout.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use balance::Receipt;
use formation::AppName;
use ps_apps::World;
use ps_cli::exit::Refusal;
use ps_release::address::Reached;

use crate::args::{Requirement, Verb};

/// The condition of `--require`, and the rollouts of this verb that broke it.
#[derive(Debug, Default)]
pub(crate) struct Required {
    requirement: Option<Requirement>,
    failed: Mutex<BTreeMap<AppName, Receipt>>,
}

impl Required {
    pub(crate) fn of(verb: &Verb) -> Self {
        Self { requirement: verb.requirement(), ..Self::default() }
    }

    /// Refuses `--require` for an app whose clients connect to its instances directly, because it has no address, or because its instances
    /// accept clients there themselves before or after this verb: what becomes of these connections cannot be counted. `given` is the
    /// address that this verb gives it.
    pub(crate) fn check(&self, world: &World, app: &AppName, given: Option<&Reached>) -> Result<()> {
        if self.requirement.is_none() {
            return Ok(());
        }
        let before = Reached::of(world, app)?;
        let left = Some(&before).filter(|before| before.passes_socket());
        let mut all = [given.unwrap_or(&before)].into_iter().chain(left);
        all.find_map(|reached| reached.uncounted(app)).map_or(Ok(()), |reason| Err(Refusal::usage(reason)))
    }

    /// Records the receipt of a finished rollout, if connections failed.
    pub(crate) fn note(&self, app: &AppName, receipt: &Receipt) {
        if !receipt.has_none_failed() {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.insert(app.clone(), receipt.clone());
        }
    }

    /// Returns `done`, or an error if connections of the app's clients failed and `--require` forbids that.
    pub(crate) fn hold<T>(&self, app: &AppName, done: T) -> Result<T> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.requirement, failed.get(app)) {
            (Some(Requirement::ZeroFailed), Some(receipt)) => Err(Refusal::failed(format!(
                "{app} was changed, but {} failed: {}",
                receipt.unit,
                receipt.failures()
            ))),
            _ => Ok(done),
        }
    }
}

impl Verb {
    /// The condition that the verb's `--require` sets.
    pub(crate) fn requirement(&self) -> Option<Requirement> {
        match self {
            Self::Deploy(args) => args.require.requirement(),
            Self::Converge(args) => args.require.requirement(),
            Self::Restart(args) => args.require.requirement(),
            Self::Rollback(args) => args.require.requirement(),
            _ => None,
        }
    }
}
