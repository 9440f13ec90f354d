//! The run table: one life of one process tree, from the order to start it until nothing of it is left. A total, pure
//! function, state x event -> state + action, printed in docs/supervisor.md and checked against it by a test. Whether
//! another run follows is not decided here: `seat_table` does.

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunState {
    /// Its place, its port and its variables are being seen to; nothing of it lives.
    Preparing,
    /// Its process lives and is not ready yet.
    Starting,
    /// Its process lives and is ready.
    Ready,
    /// Its process lives and was ready; now it says, or a readiness check says, that it is not.
    Unready,
    /// All of it was asked to end (SIGTERM).
    Terminating,
    /// All of it was told to end (SIGKILL).
    Killing,
    /// Its main process ended by itself; what that left behind is being killed.
    Clearing,
    /// Nothing of it is left.
    Ended,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunEvent {
    /// Its process lives.
    Spawned,
    /// It could not be started.
    Refused,
    /// Its process was found ready.
    Ready,
    /// A process that was ready is not any more, which is no reason to end it.
    Unready,
    /// It is to end.
    End,
    /// Its main process ended.
    Died,
    /// No process of its tree is left.
    Empty,
    /// The time it was given has passed.
    Due,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunAction {
    /// Nothing.
    Nothing,
    /// Say that it is ready, or is not any more.
    Tell,
    /// SIGTERM to the whole tree, and the grace period begins.
    Terminate,
    /// SIGKILL to the whole tree, and again until it is empty.
    Kill,
    /// Give back what it took of the machine, and tell its seat that it is over.
    Finish,
}

impl RunState {
    /// What the run does when something happens to it.
    #[must_use]
    pub(crate) fn after(self, event: RunEvent) -> (Self, RunAction) {
        match self {
            Self::Preparing => from_preparing(event),
            Self::Starting => from_starting(event),
            Self::Ready => from_ready(event),
            Self::Unready => from_unready(event),
            Self::Terminating => from_terminating(event),
            Self::Killing => from_killing(event),
            Self::Clearing => from_clearing(event),
            Self::Ended => (Self::Ended, RunAction::Nothing),
        }
    }

    /// Whether something of it may live.
    pub(crate) fn is_live(self) -> bool {
        match self {
            Self::Starting
            | Self::Ready
            | Self::Unready
            | Self::Terminating
            | Self::Killing
            | Self::Clearing => true,
            Self::Preparing | Self::Ended => false,
        }
    }

    /// Whether it waits for its tree to become empty.
    pub(crate) fn is_ending(self) -> bool {
        match self {
            Self::Terminating | Self::Killing | Self::Clearing => true,
            Self::Preparing | Self::Starting | Self::Ready | Self::Unready | Self::Ended => false,
        }
    }
}

fn from_preparing(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Spawned => (RunState::Starting, RunAction::Nothing),
        RunEvent::Refused | RunEvent::End => (RunState::Ended, RunAction::Finish),
        RunEvent::Ready | RunEvent::Unready | RunEvent::Died | RunEvent::Empty | RunEvent::Due => {
            (RunState::Preparing, RunAction::Nothing)
        }
    }
}

fn from_starting(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Ready => (RunState::Ready, RunAction::Tell),
        RunEvent::End => (RunState::Terminating, RunAction::Terminate),
        RunEvent::Died => (RunState::Clearing, RunAction::Kill),
        RunEvent::Spawned | RunEvent::Refused | RunEvent::Unready | RunEvent::Empty | RunEvent::Due => {
            (RunState::Starting, RunAction::Nothing)
        }
    }
}

fn from_ready(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Unready => (RunState::Unready, RunAction::Tell),
        RunEvent::End => (RunState::Terminating, RunAction::Terminate),
        RunEvent::Died => (RunState::Clearing, RunAction::Kill),
        RunEvent::Spawned | RunEvent::Refused | RunEvent::Ready | RunEvent::Empty | RunEvent::Due => {
            (RunState::Ready, RunAction::Nothing)
        }
    }
}

fn from_unready(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Ready => (RunState::Ready, RunAction::Tell),
        RunEvent::End => (RunState::Terminating, RunAction::Terminate),
        RunEvent::Died => (RunState::Clearing, RunAction::Kill),
        RunEvent::Spawned | RunEvent::Refused | RunEvent::Unready | RunEvent::Empty | RunEvent::Due => {
            (RunState::Unready, RunAction::Nothing)
        }
    }
}

/// The main process may end first: what it started has the grace period all the same.
fn from_terminating(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Due => (RunState::Killing, RunAction::Kill),
        RunEvent::Empty => (RunState::Ended, RunAction::Finish),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Ready
        | RunEvent::Unready
        | RunEvent::End
        | RunEvent::Died => (RunState::Terminating, RunAction::Nothing),
    }
}

fn from_killing(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Due => (RunState::Killing, RunAction::Kill),
        RunEvent::Empty => (RunState::Ended, RunAction::Finish),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Ready
        | RunEvent::Unready
        | RunEvent::End
        | RunEvent::Died => (RunState::Killing, RunAction::Nothing),
    }
}

fn from_clearing(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Due => (RunState::Clearing, RunAction::Kill),
        RunEvent::Empty => (RunState::Ended, RunAction::Finish),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Ready
        | RunEvent::Unready
        | RunEvent::End
        | RunEvent::Died => (RunState::Clearing, RunAction::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printed::{self, Printed};

    const STATES: [RunState; 8] = [
        RunState::Preparing,
        RunState::Starting,
        RunState::Ready,
        RunState::Unready,
        RunState::Terminating,
        RunState::Killing,
        RunState::Clearing,
        RunState::Ended,
    ];
    const EVENTS: [RunEvent; 8] = [
        RunEvent::Spawned,
        RunEvent::Refused,
        RunEvent::Ready,
        RunEvent::Unready,
        RunEvent::End,
        RunEvent::Died,
        RunEvent::Empty,
        RunEvent::Due,
    ];

    #[test]
    fn the_page_prints_the_table_of_a_run() {
        let nothing = RunAction::Nothing;
        printed::assert_on_page(&Printed { states: &STATES, events: &EVENTS, nothing }, RunState::after);
    }

    #[test]
    fn what_is_told_to_end_ends_and_is_over_only_when_nothing_is_left() {
        for state in STATES {
            let (mut now, _) = state.after(RunEvent::End);
            for event in [RunEvent::Ready, RunEvent::Unready, RunEvent::Died, RunEvent::Due, RunEvent::Due] {
                now = now.after(event).0;
                assert_eq!(now == RunState::Ended, !state.is_live(), "{state:?}, {event:?}");
            }
            assert_eq!(now.after(RunEvent::Empty).0, RunState::Ended, "from {state:?}");
        }
    }

    #[test]
    fn what_was_ready_once_never_starts_anew_and_only_an_end_ends_what_is_not_ready() {
        for event in EVENTS {
            for state in [RunState::Ready, RunState::Unready] {
                assert_ne!(state.after(event).0, RunState::Starting, "{state:?}, {event:?}");
            }
            let is_end = matches!(event, RunEvent::End | RunEvent::Died);
            assert_eq!(RunState::Unready.after(event).0.is_ending(), is_end, "{event:?}");
        }
    }

    #[test]
    fn whoever_waits_for_an_empty_tree_is_woken_to_kill_again() {
        for state in STATES.into_iter().filter(|state| state.is_ending()) {
            assert_eq!(state.after(RunEvent::Due).1, RunAction::Kill, "{state:?}");
        }
    }

    #[test]
    fn a_run_is_over_once_and_has_one_life() {
        for event in EVENTS {
            assert_eq!(RunState::Ended.after(event), (RunState::Ended, RunAction::Nothing), "{event:?}");
            for state in STATES {
                let (next, action) = state.after(event);
                assert_eq!(action == RunAction::Finish, next == RunState::Ended && next != state);
                let is_born = !state.is_live() && next.is_live();
                assert!(!is_born || event == RunEvent::Spawned, "{state:?} lives on {event:?}");
            }
        }
    }
}
