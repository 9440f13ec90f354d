//! One call of [`crate::Rollout::handle`], from the event to the actions.

use std::time::Duration;

use crate::event::Action;
use crate::life::Life;
use crate::seat::Which;
use crate::stage::Stage;

/// The actions of one call, while they are collected.
pub(crate) struct Turn {
    pub(crate) now: Duration,
    pub(crate) actions: Vec<Action>,
    /// Orders of a dead executor that may or may not have been carried out.
    pub(crate) in_doubt: Vec<Doubt>,
}

/// An order that may or may not have been carried out.
pub(crate) enum Doubt {
    /// The order that brought a run to this life.
    Life { index: usize, which: Which, life: Life },
    /// The record that belongs to this stage.
    Record(Stage),
}
