//! The events that a rollout is told, and the actions that it orders.

use std::time::Duration;

use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::{Lane, Revision, Run};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The rollout is to begin.
    Begin,
    /// The rollout is to be undone. After [`Action::Commit`] it is too late, and nothing changes.
    Cancel,
    /// Time has passed; see [`crate::Rollout::due`].
    Tick,
    /// A run was started.
    Started(Run),
    /// A run could not be started.
    StartRefused {
        /// The run.
        run: Run,
        /// Why, as a phrase that follows the slot's name: `did not answer GET / with 2xx`.
        reason: String,
    },
    /// A run has asked for more time to become ready: its deadline is at least this far away from now.
    Extended {
        /// The run.
        run: Run,
        /// How far.
        time: Duration,
    },
    /// The checks of a run have succeeded.
    Ready(Run),
    /// The checks of a run have failed for good.
    NotReady {
        /// The run.
        run: Run,
        /// Why, as a phrase that follows the slot's name: `did not answer GET / with 2xx`.
        reason: String,
    },
    /// Clients reach a run.
    Admitted(Run),
    /// Clients could not be led to a run.
    NotAdmitted {
        /// The run.
        run: Run,
        /// Why, as a phrase that follows the slot's name: `did not answer GET / with 2xx`.
        reason: String,
    },
    /// No client is led to a run any more.
    Withdrawn(Run),
    /// A run ended by itself, and its restart policy treats that as a failure.
    Died {
        /// The run.
        run: Run,
        /// How it ended, as a phrase that follows the slot's name: `ended with exit status 1`.
        how: String,
    },
    /// No process of a run is left: it was told to end, or has finished as it should.
    Ended(Run),
    /// A run was told to end and survived SIGKILL.
    Remains {
        /// The run.
        run: Run,
        /// Why, as a phrase for people.
        reason: String,
    },
    /// A restart policy has started a run again that had died; `run` has the same number if restarts keep it.
    Respawned {
        /// The run that died.
        died: Run,
        /// The run that lives.
        run: Run,
    },
    /// A person stopped a slot by hand, so it stays empty, whatever the plan says.
    Stopped(Slot),
    /// The record is durable: it says which revision the app has, and which runs fill its slots.
    Recorded(Revision),
    /// The record was not written; the earlier one is still valid.
    NotRecorded {
        /// The revision that was to be recorded.
        revision: Revision,
        /// The slot whose run was found dead when it was to be recorded. `None` if writing failed.
        slot: Option<Slot>,
        /// Why, as a phrase for people; with a slot, how its run died.
        reason: String,
    },
    /// Another executor has taken over from a dead one. It has read the rollout as last recorded, and reports the runs that
    /// it found; a run of which nothing is left is not reported. Events that the dead executor received after its last
    /// record are lost.
    Resumed(Vec<Observed>),
}

/// A run that an executor found when it took over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The run.
    pub run: Run,
    /// Its lane.
    pub lane: Lane,
    /// The revision that it was started from. Runs of slots that are kept, and their successors, count as old.
    pub revision: Revision,
    /// Its state.
    pub condition: Condition,
}

/// The state of a run that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It lives; whether its checks succeed is not known.
    Up,
    /// It lives, and its checks have succeeded.
    Ready,
    /// It has ended, and its remains exist: a container, a directory.
    Over,
}

/// An action for the executor. The executor records the rollout first, then takes the actions in order and reports their
/// results. An action may be taken twice without harm, such as starting a run that lives or ending one that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start a run; answer [`Event::Started`] or [`Event::StartRefused`].
    Start {
        /// The run.
        run: Run,
        /// The revision to start it from.
        revision: Revision,
        /// Its lane.
        lane: Lane,
    },
    /// Run the checks of a run until they succeed or fail for good; answer [`Event::Ready`] or [`Event::NotReady`].
    Probe(Run),
    /// Lead clients to a run, beside those that they reach already; answer [`Event::Admitted`] or [`Event::NotAdmitted`].
    Admit(Run),
    /// Lead no new clients to a run, and wait for the present ones; answer [`Event::Withdrawn`].
    Withdraw(Run),
    /// End a run, and keep its restart policy from starting another; answer [`Event::Ended`] or [`Event::Remains`].
    End(Run),
    /// Remove the remains of a run that has ended. No answer.
    Forget(Run),
    /// Record durably that the app has the new revision and that these runs fill it; answer [`Event::Recorded`] or
    /// [`Event::NotRecorded`].
    Commit(Vec<Run>),
    /// Record durably that the app has the old revision and that these runs fill it; answered like [`Self::Commit`].
    PutBack(Vec<Run>),
}
