//! The run table: one life of a process tree, from the order to start it until nothing of it is left. A total, pure
//! function, state x event -> state + action, printed in docs/supervisor.md and checked against it by a test. Whether
//! another run follows is decided by `seat_table`.

use serde::{Deserialize, Serialize};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunState {
    /// Its directory, port and variables are being prepared; no process lives.
    Preparing,
    /// Its process lives and is not ready yet.
    Starting,
    /// Its process lives and is ready.
    Ready,
    /// Its process lives and was ready, but a readiness check fails now.
    Unready,
    /// The stop command runs.
    StopCommand,
    /// The stop signal was sent, and the grace period runs.
    Terminating,
    /// SIGKILL was sent to the whole tree.
    Killing,
    /// Its main process ended by itself; the processes that it left are being killed.
    Clearing,
    /// Nothing of it is left.
    Ended,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunEvent {
    /// Its process was started.
    Spawned,
    /// It could not be started.
    Refused,
    /// Its checks found it ready.
    Ready,
    /// A readiness check failed, which is no reason to end it.
    Unready,
    /// The run is to end.
    End,
    /// The run is to end, and has a stop command.
    EndByCommand,
    /// The stop command has ended.
    CommandOver,
    /// Its main process ended.
    Died,
    /// No process of its tree is left.
    Empty,
    /// The timer of the current state is due.
    Due,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunAction {
    /// Nothing.
    Nothing,
    /// Tell that it is ready or unready.
    Tell,
    /// Run the stop command, at most for the grace period.
    Command,
    /// Send the stop signal and begin the grace period.
    Terminate,
    /// Send SIGKILL to the whole tree, again and again until it is empty.
    Kill,
    /// Release its resources, and tell its seat that it has ended.
    Finish,
}

impl RunAction {
    /// Whether the processes of its tree have to be found for it: one that is outside of its cgroup would be missed.
    pub(crate) fn looks_for_processes(self) -> bool {
        match self {
            Self::Command | Self::Terminate | Self::Kill => true,
            Self::Nothing | Self::Tell | Self::Finish => false,
        }
    }
}

impl RunState {
    /// The next state and the action.
    #[must_use]
    pub(crate) fn after(self, event: RunEvent) -> (Self, RunAction) {
        match self {
            Self::Preparing => from_preparing(event),
            Self::Starting => from_starting(event),
            Self::Ready => from_ready(event),
            Self::Unready => from_unready(event),
            Self::StopCommand => from_stop_command(event),
            Self::Terminating => from_terminating(event),
            Self::Killing => from_killing(event),
            Self::Clearing => from_clearing(event),
            Self::Ended => (Self::Ended, RunAction::Nothing),
        }
    }

    /// Whether a process of it may live.
    pub(crate) fn is_live(self) -> bool {
        match self {
            Self::Starting
            | Self::Ready
            | Self::Unready
            | Self::StopCommand
            | Self::Terminating
            | Self::Killing
            | Self::Clearing => true,
            Self::Preparing | Self::Ended => false,
        }
    }

    /// Whether its end has begun.
    pub(crate) fn is_ending(self) -> bool {
        self == Self::StopCommand || self.waits_for_empty()
    }

    /// Whether it ends as soon as its tree is empty.
    pub(crate) fn waits_for_empty(self) -> bool {
        match self {
            Self::Terminating | Self::Killing | Self::Clearing => true,
            Self::Preparing
            | Self::Starting
            | Self::Ready
            | Self::Unready
            | Self::StopCommand
            | Self::Ended => false,
        }
    }
}

fn from_preparing(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Spawned => (RunState::Starting, RunAction::Nothing),
        RunEvent::Refused | RunEvent::End | RunEvent::EndByCommand => (RunState::Ended, RunAction::Finish),
        RunEvent::Ready
        | RunEvent::Unready
        | RunEvent::CommandOver
        | RunEvent::Died
        | RunEvent::Empty
        | RunEvent::Due => (RunState::Preparing, RunAction::Nothing),
    }
}

fn from_starting(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Ready => (RunState::Ready, RunAction::Tell),
        RunEvent::End => (RunState::Terminating, RunAction::Terminate),
        RunEvent::EndByCommand => (RunState::StopCommand, RunAction::Command),
        RunEvent::Died => (RunState::Clearing, RunAction::Kill),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Unready
        | RunEvent::CommandOver
        | RunEvent::Empty
        | RunEvent::Due => (RunState::Starting, RunAction::Nothing),
    }
}

fn from_ready(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Unready => (RunState::Unready, RunAction::Tell),
        RunEvent::End => (RunState::Terminating, RunAction::Terminate),
        RunEvent::EndByCommand => (RunState::StopCommand, RunAction::Command),
        RunEvent::Died => (RunState::Clearing, RunAction::Kill),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Ready
        | RunEvent::CommandOver
        | RunEvent::Empty
        | RunEvent::Due => (RunState::Ready, RunAction::Nothing),
    }
}

fn from_unready(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Ready => (RunState::Ready, RunAction::Tell),
        RunEvent::End => (RunState::Terminating, RunAction::Terminate),
        RunEvent::EndByCommand => (RunState::StopCommand, RunAction::Command),
        RunEvent::Died => (RunState::Clearing, RunAction::Kill),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Unready
        | RunEvent::CommandOver
        | RunEvent::Empty
        | RunEvent::Due => (RunState::Unready, RunAction::Nothing),
    }
}

/// The stop command may still run when the tree is empty: then the run ends with the command.
fn from_stop_command(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::CommandOver | RunEvent::Due => (RunState::Terminating, RunAction::Terminate),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Ready
        | RunEvent::Unready
        | RunEvent::End
        | RunEvent::EndByCommand
        | RunEvent::Died
        | RunEvent::Empty => (RunState::StopCommand, RunAction::Nothing),
    }
}

/// If the main process ends first, the others still have the rest of the grace period.
fn from_terminating(event: RunEvent) -> (RunState, RunAction) {
    match event {
        RunEvent::Due => (RunState::Killing, RunAction::Kill),
        RunEvent::Empty => (RunState::Ended, RunAction::Finish),
        RunEvent::Spawned
        | RunEvent::Refused
        | RunEvent::Ready
        | RunEvent::Unready
        | RunEvent::End
        | RunEvent::EndByCommand
        | RunEvent::CommandOver
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
        | RunEvent::EndByCommand
        | RunEvent::CommandOver
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
        | RunEvent::EndByCommand
        | RunEvent::CommandOver
        | RunEvent::Died => (RunState::Clearing, RunAction::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printed::{self, Printed};

    const STATES: [RunState; 9] = [
        RunState::Preparing,
        RunState::Starting,
        RunState::Ready,
        RunState::Unready,
        RunState::StopCommand,
        RunState::Terminating,
        RunState::Killing,
        RunState::Clearing,
        RunState::Ended,
    ];
    const EVENTS: [RunEvent; 10] = [
        RunEvent::Spawned,
        RunEvent::Refused,
        RunEvent::Ready,
        RunEvent::Unready,
        RunEvent::End,
        RunEvent::EndByCommand,
        RunEvent::CommandOver,
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
        for (state, end) in
            STATES.into_iter().flat_map(|state| [(state, RunEvent::End), (state, RunEvent::EndByCommand)])
        {
            let (mut now, _) = state.after(end);
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
            let is_end = matches!(event, RunEvent::End | RunEvent::EndByCommand | RunEvent::Died);
            assert_eq!(RunState::Unready.after(event).0.is_ending(), is_end, "{event:?}");
        }
    }

    #[test]
    fn whoever_waits_for_an_empty_tree_is_woken_to_kill_again() {
        for state in STATES.into_iter().filter(|state| state.waits_for_empty()) {
            assert_eq!(state.after(RunEvent::Due).1, RunAction::Kill, "{state:?}");
        }
    }

    #[test]
    fn a_stop_command_is_followed_by_the_stop_signal_whatever_happens_meanwhile() {
        for event in EVENTS {
            let (next, action) = RunState::StopCommand.after(event);
            let is_over = matches!(event, RunEvent::CommandOver | RunEvent::Due);
            assert_eq!(is_over, (next, action) == (RunState::Terminating, RunAction::Terminate), "{event:?}");
            assert_eq!(is_over, next != RunState::StopCommand, "{event:?}");
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
