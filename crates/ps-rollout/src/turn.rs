//! One call of [`crate::Rollout::handle`], from the event to the actions.

use std::time::Duration;

use crate::event::Action;
use crate::life::Life;
use crate::seat::Which;
use crate::stage::Stage;

/// The actions of one call, while they are gathered.
pub(crate) struct Turn {
    pub(crate) now: Duration,
    pub(crate) actions: Vec<Action>,
    /// Orders of an executor that died, of which it is unknown whether they were carried out.
    pub(crate) in_doubt: Vec<Doubt>,
}

/// Something that was ordered, and may or may not have been done.
pub(crate) enum Doubt {
    /// What brought a run to this life.
    Life { index: usize, which: Which, life: Life },
    /// The record that belongs to this stage.
    Record(Stage),
}
