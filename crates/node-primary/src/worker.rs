//! The primary's record of one worker.

use std::collections::BTreeSet;

use crate::place::Place;

/// The number of a worker, which is its `NODE_UNIQUE_ID`.
pub type Id = u64;

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not said yet that it listens.
    Starting,
    /// It listens.
    Listening,
    /// It was told to disconnect, or said that it will.
    Leaving,
}

/// A connection that a worker was given and has not answered for.
#[derive(Debug)]
pub(crate) struct Given<C> {
    pub(crate) seq: u64,
    pub(crate) place: Place,
    pub(crate) connection: C,
    /// Who has refused it.
    pub(crate) refused_by: BTreeSet<Id>,
}

#[derive(Debug)]
pub(crate) struct Worker<C> {
    pub(crate) phase: Phase,
    /// It may get connections.
    pub(crate) is_admitted: bool,
    /// It is of Node 0.10, whose messages are other ones.
    pub(crate) is_old: bool,
    /// Where it listens.
    pub(crate) places: BTreeSet<Place>,
    pub(crate) given: Option<Given<C>>,
    /// When it was given its last connection, in connections.
    pub(crate) turn: u64,
    /// How many it has taken.
    pub(crate) taken: u64,
}

impl<C> Worker<C> {
    pub(crate) fn new(is_admitted: bool) -> Self {
        let places = BTreeSet::new();
        Self { phase: Phase::Starting, is_admitted, is_old: false, places, given: None, turn: 0, taken: 0 }
    }

    /// Whether connections of this place are for it.
    pub(crate) fn listens(&self, place: &Place) -> bool {
        self.phase == Phase::Listening && self.is_admitted && self.places.contains(place)
    }
}
