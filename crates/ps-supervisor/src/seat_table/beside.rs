//! The second part of the seat table: the run beside the one that fills a seat, while a rollout replaces that.

use serde::{Deserialize, Serialize};

use super::Event;

/// The run beside the one that fills the seat, during a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Beside {
    /// There is no second run.
    Nobody,
    /// The new run of a rollout, which may take the seat.
    Incoming,
    /// The old run, which had the seat.
    Leaving,
}

/// What is done about the run beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aside {
    /// Nothing.
    Nothing,
    /// Start a run beside the current one.
    Bring,
    /// End the run beside.
    End,
    /// Exchange the two runs.
    Swap,
}

impl Beside {
    /// The next state of the run beside, and the action.
    #[must_use]
    pub(crate) fn after(self, event: Event) -> (Self, Aside) {
        match self {
            Self::Nobody => from_nobody(event),
            Self::Incoming => from_incoming(event),
            Self::Leaving => from_leaving(event),
        }
    }

    /// Whether the current run's part of the table gets an event. During a rollout it ignores the spec and orders to start
    /// or restart; an order to stop still counts.
    #[must_use]
    pub(crate) fn lets_through(self, event: Event) -> bool {
        match event {
            Event::Want | Event::Schedule | Event::Fire | Event::Start | Event::Restart => {
                self != Self::Incoming
            }
            // The new run has been promoted already.
            Event::Promote => self != Self::Leaving,
            Event::Stop
            | Event::Met
            | Event::Replace
            | Event::Retire
            | Event::Dismiss
            | Event::Died(_)
            | Event::Broke
            | Event::Empty
            | Event::Gone
            | Event::Due => true,
        }
    }
}

/// A new run that has ended may still be promoted: a job that has finished.
fn from_nobody(event: Event) -> (Beside, Aside) {
    match event {
        Event::Replace => (Beside::Incoming, Aside::Bring),
        Event::Promote => (Beside::Leaving, Aside::Swap),
        Event::Want
        | Event::Schedule
        | Event::Fire
        | Event::Start
        | Event::Stop
        | Event::Restart
        | Event::Met
        | Event::Retire
        | Event::Dismiss
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone
        | Event::Due => (Beside::Nobody, Aside::Nothing),
    }
}

fn from_incoming(event: Event) -> (Beside, Aside) {
    match event {
        Event::Stop | Event::Dismiss => (Beside::Incoming, Aside::End),
        Event::Promote => (Beside::Leaving, Aside::Swap),
        Event::Gone => (Beside::Nobody, Aside::Nothing),
        Event::Want
        | Event::Schedule
        | Event::Fire
        | Event::Start
        | Event::Restart
        | Event::Met
        | Event::Replace
        | Event::Retire
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Due => (Beside::Incoming, Aside::Nothing),
    }
}

fn from_leaving(event: Event) -> (Beside, Aside) {
    match event {
        Event::Stop | Event::Dismiss => (Beside::Leaving, Aside::End),
        Event::Gone => (Beside::Nobody, Aside::Nothing),
        Event::Want
        | Event::Schedule
        | Event::Fire
        | Event::Start
        | Event::Restart
        | Event::Met
        | Event::Replace
        | Event::Retire
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Due => (Beside::Leaving, Aside::Nothing),
    }
}
