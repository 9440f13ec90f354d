//! What a rollout is told, and what it says is to be done.

use formation::Slot;

use crate::{Lane, Revision, Run};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The rollout is to begin.
    Begin,
    /// Somebody wants it undone. From [`Action::Commit`] on this is too late and changes nothing.
    Cancel,
    /// Time has passed; see [`crate::Rollout::due`].
    Tick,
    /// A run lives.
    Started(Run),
    /// A run could not be started.
    StartRefused {
        /// The run.
        run: Run,
        /// Why, as a fragment for people that goes on after the slot: `did not answer GET / with 2xx`.
        reason: String,
    },
    /// The checks of a run hold.
    Ready(Run),
    /// The checks of a run do not hold, and will not be asked again.
    NotReady {
        /// The run.
        run: Run,
        /// Why, as a fragment for people that goes on after the slot: `did not answer GET / with 2xx`.
        reason: String,
    },
    /// A run reaches clients.
    Admitted(Run),
    /// Clients could not be led to a run.
    NotAdmitted {
        /// The run.
        run: Run,
        /// Why, as a fragment for people that goes on after the slot: `did not answer GET / with 2xx`.
        reason: String,
    },
    /// No client is led to a run any more.
    Withdrawn(Run),
    /// A run ended by itself in a way that its restart policy does not leave at that.
    Died {
        /// The run.
        run: Run,
        /// How it ended, as a fragment for people that goes on after the slot: `ended with exit status 1`.
        how: String,
    },
    /// Nothing of a run is left: it was told to end, or it finished by itself as it should.
    Ended(Run),
    /// A run was told to end and would not, SIGKILL included.
    Remains {
        /// The run.
        run: Run,
        /// Why, as a fragment for people.
        reason: String,
    },
    /// A restart policy has started again what died; `run` may be the same run where its number stays.
    Respawned {
        /// The run that died.
        died: Run,
        /// The one that lives.
        run: Run,
    },
    /// A person stopped a slot by hand: it is to be empty, whatever the plan says.
    Stopped(Slot),
    /// It is durable which revision the app has, and which runs fill it.
    Recorded(Revision),
    /// The record could not be written; the one before stands.
    NotRecorded {
        /// The revision that was to be recorded.
        revision: Revision,
        /// Why, as a fragment for people.
        reason: String,
    },
    /// Another executor has taken over from one that died. It has read the rollout as the dead one last wrote it, and
    /// tells what it found of the app's runs; a run of which there is nothing is left out. Whatever the dead one was told after it wrote is lost.
    Resumed(Vec<Observed>),
}

/// A run that an executor found when it took over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The run.
    pub run: Run,
    /// Where it lives.
    pub lane: Lane,
    /// What it was started from. Runs of slots that are kept, and their successors, count as old.
    pub revision: Revision,
    /// How it is.
    pub condition: Condition,
}

/// How a run is that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It lives; nothing is known of its checks.
    Up,
    /// It lives and its checks hold.
    Ready,
    /// It ended, and something of it is left to be forgotten: a container, a directory.
    Over,
}

/// What an executor is to do. It writes the rollout down first, then does what it was told, in that order, and reports
/// what came of it. Doing the same again does no harm: to start a run that lives, to end one that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a run; answer [`Event::Started`] or [`Event::StartRefused`].
    Start {
        /// The run.
        run: Run,
        /// From what.
        revision: Revision,
        /// Where.
        lane: Lane,
    },
    /// Ask the checks of a run until they hold or will not; answer [`Event::Ready`] or [`Event::NotReady`].
    Probe(Run),
    /// Lead clients to a run, beside the ones they are led to already; answer [`Event::Admitted`] or
    /// [`Event::NotAdmitted`].
    Admit(Run),
    /// Lead no more clients to a run and wait for those it has; answer [`Event::Withdrawn`].
    Withdraw(Run),
    /// End a run and everything its restart policy would put in its place; answer [`Event::Ended`] or
    /// [`Event::Remains`].
    End(Run),
    /// Remove what is left of a run that ended. Not answered.
    Forget(Run),
    /// Make it durable that the app has the new revision and that these runs fill it; answer [`Event::Recorded`] or
    /// [`Event::NotRecorded`].
    Commit(Vec<Run>),
    /// Make it durable that the app has the old revision and that these runs fill it; answered as [`Self::Commit`].
    PutBack(Vec<Run>),
}
