//! The table of what a root does about an app's supervisor, and the delay before a dead one is restarted. Pure: a state and
//! an event give the next state and an action.

use std::time::Duration;

/// The delay before the second start in a row; the first is at once.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest delay for a supervisor that keeps exiting by itself.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// The longest delay for a supervisor that keeps being killed, for example on a machine without free memory. It has to be
/// back within a second.
const LONGEST_AFTER_KILL: Duration = Duration::from_millis(250);
/// A supervisor that has lived this long is stable, and its earlier deaths no longer count.
const STABLE: Duration = Duration::from_secs(10);

/// The state of an app's supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// No supervisor runs, and none is wanted.
    Gone,
    /// The supervisor is alive.
    Alive,
    /// The supervisor is alive, and is not restarted when it ends.
    LetGo,
    /// The supervisor has died, and is restarted when the delay is over.
    Waiting,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client wants the app to have a supervisor.
    Asked,
    /// A client wants the supervisor not to be restarted.
    LetGo,
    /// The supervisor ended although the app needs one.
    Died,
    /// The supervisor ended and is not needed: it was told to end, or no process of the app is to run.
    Left,
    /// The delay is over.
    Due,
}

/// The action that a root takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Start a supervisor.
    Start,
    /// Begin the delay.
    Delay,
}

impl Keep {
    /// The next state and the action.
    pub(crate) fn after(self, event: Event) -> (Self, Action) {
        match (self, event) {
            (Self::Gone | Self::Waiting, Event::Asked) | (Self::Waiting, Event::Due) => {
                (Self::Alive, Action::Start)
            }
            (Self::Alive | Self::LetGo, Event::Asked) | (Self::Alive, Event::Due) => {
                (Self::Alive, Action::Nothing)
            }
            (Self::Alive | Self::LetGo, Event::LetGo) | (Self::LetGo, Event::Due) => {
                (Self::LetGo, Action::Nothing)
            }
            (Self::Alive, Event::Died) => (Self::Waiting, Action::Delay),
            (Self::LetGo, Event::Died)
            | (Self::Alive | Self::LetGo | Self::Waiting | Self::Gone, Event::Left)
            | (Self::Gone | Self::Waiting, Event::LetGo)
            | (Self::Gone, Event::Died | Event::Due) => (Self::Gone, Action::Nothing),
            (Self::Waiting, Event::Died) => (Self::Waiting, Action::Nothing),
        }
    }
}

/// The deaths of one supervisor, or of the holder, since it was last stable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deaths {
    in_row: u32,
}

impl Deaths {
    /// Counts a death after `lifetime`.
    pub(crate) fn count(&mut self, lifetime: Duration) {
        self.in_row = if lifetime >= STABLE { 1 } else { self.in_row.saturating_add(1) };
    }

    /// The delay before the next start: none after the first death, then 100 ms, doubled with each death in a row.
    pub(crate) fn delay(self, was_killed: bool) -> Duration {
        let longest = if was_killed { LONGEST_AFTER_KILL } else { LONGEST_DELAY };
        match self.in_row {
            0 | 1 => Duration::ZERO,
            in_row => FIRST_DELAY.saturating_mul(1 << (in_row - 2).min(16)).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [Keep; 4] = [Keep::Gone, Keep::Alive, Keep::LetGo, Keep::Waiting];
    const EVENTS: [Event; 5] = [Event::Asked, Event::LetGo, Event::Died, Event::Left, Event::Due];

    #[test]
    fn whoever_asks_has_a_supervisor_and_nobody_gets_a_second_one() {
        for state in STATES {
            let (next, action) = state.after(Event::Asked);
            let lives = matches!(state, Keep::Alive | Keep::LetGo);
            assert_eq!((next, action == Action::Start), (Keep::Alive, !lives), "{state:?}");
        }
    }

    #[test]
    fn what_was_let_go_is_started_again_by_nothing_but_a_request() {
        for state in STATES {
            let (mut state, _) = state.after(Event::LetGo);
            for event in EVENTS.into_iter().filter(|event| *event != Event::Asked) {
                let (next, action) = state.after(event);
                assert_eq!(action, Action::Nothing, "{state:?}, {event:?}");
                state = next;
            }
        }
    }

    #[test]
    fn one_that_died_is_back_and_one_that_left_is_not() {
        assert_eq!(Keep::Alive.after(Event::Died), (Keep::Waiting, Action::Delay));
        assert_eq!(Keep::Waiting.after(Event::Due), (Keep::Alive, Action::Start));
        assert_eq!(Keep::Alive.after(Event::Left), (Keep::Gone, Action::Nothing));
    }

    #[test]
    fn the_first_start_is_at_once_a_killed_one_is_back_within_a_second_and_a_loop_costs_little() {
        let delays = |was_killed| {
            let mut deaths = Deaths::default();
            (0..20).map(move |_| {
                deaths.count(Duration::from_millis(3));
                deaths.delay(was_killed).as_millis()
            })
        };
        assert_eq!(delays(false).take(6).collect::<Vec<_>>(), [0, 100, 200, 400, 800, 1600]);
        assert_eq!(delays(false).max(), Some(60_000));
        assert_eq!(delays(true).max(), Some(250));
        let mut deaths = Deaths { in_row: 20 };
        deaths.count(STABLE);
        assert_eq!(deaths.delay(false), Duration::ZERO);
    }
}
