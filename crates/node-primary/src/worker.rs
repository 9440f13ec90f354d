//! The primary's record of one worker.

use std::collections::BTreeSet;

use crate::place::Place;

/// The number of a worker, which is its `NODE_UNIQUE_ID`.
pub type Id = u64;

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It does not listen yet.
    Starting,
    /// It listens.
    Listening,
    /// It was told to disconnect, or said that it will.
    Leaving,
}

/// A connection that a worker was sent and has not acknowledged.
#[derive(Debug)]
pub(crate) struct Given<C> {
    pub(crate) seq: u64,
    pub(crate) place: Place,
    pub(crate) connection: C,
    /// The workers that have refused it.
    pub(crate) refused_by: BTreeSet<Id>,
}

#[derive(Debug)]
pub(crate) struct Worker<C> {
    pub(crate) phase: Phase,
    /// Whether it may get connections.
    pub(crate) is_admitted: bool,
    /// Whether it is of Node 0.10, whose messages differ.
    pub(crate) is_old: bool,
    /// The places at which it listens.
    pub(crate) places: BTreeSet<Place>,
    pub(crate) given: Option<Given<C>>,
    /// The number of the last connection that it was sent.
    pub(crate) turn: u64,
    /// How many connections it has taken.
    pub(crate) taken: u64,
}

impl<C> Worker<C> {
    pub(crate) fn new(is_admitted: bool) -> Self {
        let places = BTreeSet::new();
        Self { phase: Phase::Starting, is_admitted, is_old: false, places, given: None, turn: 0, taken: 0 }
    }

    /// Whether it listens at this place.
    pub(crate) fn listens(&self, place: &Place) -> bool {
        self.phase == Phase::Listening && self.is_admitted && self.places.contains(place)
    }
}
