//! The heart: what a seat does when something happens to it. A total, pure function, state x event -> state + action,
//! printed in docs/supervisor.md and checked against it by a test. Timers, processes and sockets live around it.

/// What a seat is doing. A seat is the place of one instance, `<type>.<n>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SeatState {
    /// Empty, and meant to be.
    Down,
    /// Its process lives and is not ready yet.
    Starting,
    /// Its process lives and is ready.
    Up,
    /// The tree was asked to end (SIGTERM); then what?
    Stopping(Then),
    /// The tree was told to end (SIGKILL); then what?
    Killing(Then),
    /// The main process ended by itself; what it left behind is being killed.
    Clearing(Verdict),
    /// Empty; waits to be filled again.
    Backoff,
    /// Empty: given up.
    Crashed,
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// The seat stays empty.
    Rest,
    /// The seat is filled again, at once.
    Again,
}

/// What the restart policy says about a process that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// It is started again after a delay.
    Again,
    /// It is left, and that is fine: it was done.
    Rest,
    /// It is left, and that is not fine.
    GiveUp,
}

/// What can happen to a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// It is wanted.
    Start,
    /// It is not wanted.
    Stop,
    /// It is wanted anew.
    Restart,
    /// Its process was found ready.
    Ready,
    /// Its main process ended, or could not be started.
    Died(Verdict),
    /// No process of its tree is left.
    Empty,
    /// The time it was given has passed.
    Due,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Start a process.
    Spawn,
    /// SIGTERM to the whole tree, and the grace period begins.
    Terminate,
    /// SIGKILL to the whole tree, and again until it is empty.
    Kill,
    /// Begin the delay before the next start.
    Delay,
    /// Tell whoever watches: the state changed, and no more is to be done.
    Announce,
}

/// The table.
#[must_use]
pub(crate) fn transition(state: SeatState, event: Event) -> (SeatState, Action) {
    match state {
        SeatState::Down => from_down(event),
        SeatState::Starting => from_alive(SeatState::Starting, event),
        SeatState::Up => from_alive(SeatState::Up, event),
        SeatState::Stopping(then) => from_stopping(then, event),
        SeatState::Killing(then) => from_killing(then, event),
        SeatState::Clearing(verdict) => from_clearing(verdict, event),
        SeatState::Backoff => from_backoff(event),
        SeatState::Crashed => from_crashed(event),
    }
}

fn from_down(event: Event) -> (SeatState, Action) {
    match event {
        Event::Start | Event::Restart => (SeatState::Starting, Action::Spawn),
        Event::Stop | Event::Ready | Event::Died(_) | Event::Empty | Event::Due => {
            (SeatState::Down, Action::Nothing)
        }
    }
}

fn from_alive(state: SeatState, event: Event) -> (SeatState, Action) {
    match event {
        Event::Start | Event::Empty | Event::Due => (state, Action::Nothing),
        Event::Stop => (SeatState::Stopping(Then::Rest), Action::Terminate),
        Event::Restart => (SeatState::Stopping(Then::Again), Action::Terminate),
        Event::Ready if state == SeatState::Up => (state, Action::Nothing),
        Event::Ready => (SeatState::Up, Action::Announce),
        Event::Died(verdict) => (SeatState::Clearing(verdict), Action::Kill),
    }
}

fn from_stopping(then: Then, event: Event) -> (SeatState, Action) {
    match event {
        Event::Start | Event::Restart => (SeatState::Stopping(Then::Again), Action::Nothing),
        Event::Stop => (SeatState::Stopping(Then::Rest), Action::Nothing),
        Event::Ready | Event::Died(_) => (SeatState::Stopping(then), Action::Nothing),
        Event::Empty => after_stop(then),
        Event::Due => (SeatState::Killing(then), Action::Kill),
    }
}

fn from_killing(then: Then, event: Event) -> (SeatState, Action) {
    match event {
        Event::Start | Event::Restart => (SeatState::Killing(Then::Again), Action::Nothing),
        Event::Stop => (SeatState::Killing(Then::Rest), Action::Nothing),
        Event::Ready | Event::Died(_) => (SeatState::Killing(then), Action::Nothing),
        Event::Empty => after_stop(then),
        Event::Due => (SeatState::Killing(then), Action::Kill),
    }
}

fn after_stop(then: Then) -> (SeatState, Action) {
    match then {
        Then::Rest => (SeatState::Down, Action::Announce),
        Then::Again => (SeatState::Starting, Action::Spawn),
    }
}

fn from_clearing(verdict: Verdict, event: Event) -> (SeatState, Action) {
    match event {
        Event::Start => (SeatState::Clearing(Verdict::Again), Action::Nothing),
        Event::Stop => (SeatState::Clearing(Verdict::Rest), Action::Nothing),
        Event::Restart => (SeatState::Killing(Then::Again), Action::Nothing),
        Event::Ready | Event::Died(_) => (SeatState::Clearing(verdict), Action::Nothing),
        Event::Empty => match verdict {
            Verdict::Again => (SeatState::Backoff, Action::Delay),
            Verdict::Rest => (SeatState::Down, Action::Announce),
            Verdict::GiveUp => (SeatState::Crashed, Action::Announce),
        },
        Event::Due => (SeatState::Clearing(verdict), Action::Kill),
    }
}

fn from_backoff(event: Event) -> (SeatState, Action) {
    match event {
        Event::Due | Event::Restart => (SeatState::Starting, Action::Spawn),
        Event::Stop => (SeatState::Down, Action::Announce),
        Event::Start | Event::Ready | Event::Died(_) | Event::Empty => (SeatState::Backoff, Action::Nothing),
    }
}

fn from_crashed(event: Event) -> (SeatState, Action) {
    match event {
        Event::Start | Event::Restart => (SeatState::Starting, Action::Spawn),
        Event::Stop => (SeatState::Down, Action::Announce),
        Event::Ready | Event::Died(_) | Event::Empty | Event::Due => (SeatState::Crashed, Action::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERDICTS: [Verdict; 3] = [Verdict::Again, Verdict::Rest, Verdict::GiveUp];
    const THENS: [Then; 2] = [Then::Rest, Then::Again];

    fn states() -> Vec<SeatState> {
        let mut all = vec![SeatState::Down, SeatState::Starting, SeatState::Up];
        all.extend(THENS.map(SeatState::Stopping));
        all.extend(THENS.map(SeatState::Killing));
        all.extend(VERDICTS.map(SeatState::Clearing));
        all.extend([SeatState::Backoff, SeatState::Crashed]);
        all
    }

    fn events() -> Vec<Event> {
        let mut all = vec![Event::Start, Event::Stop, Event::Restart, Event::Ready];
        all.extend(VERDICTS.map(Event::Died));
        all.extend([Event::Empty, Event::Due]);
        all
    }

    /// The table as the page prints it: one row a state, one column an event.
    fn rendered() -> String {
        let heading = events().iter().map(|event| format!(" {event:?} |")).collect::<Vec<_>>().concat();
        let rule = "---|".repeat(events().len() + 1);
        let row = |state: SeatState| {
            let cells = events().into_iter().map(|event| cell(state, event)).collect::<Vec<_>>().concat();
            format!("| **{state:?}** |{cells}\n")
        };
        let rows = states().into_iter().map(row).collect::<Vec<_>>().concat();
        format!("| state |{heading}\n|{rule}\n{rows}")
    }

    fn cell(state: SeatState, event: Event) -> String {
        let (next, action) = transition(state, event);
        match (next == state, action) {
            (true, Action::Nothing) => " · |".to_owned(),
            (true, action) => format!(" {action:?} |"),
            (false, Action::Nothing) => format!(" → {next:?} |"),
            (false, action) => format!(" {action:?} → {next:?} |"),
        }
    }

    #[test]
    fn the_page_prints_the_table_that_runs() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/supervisor.md");
        let text = std::fs::read_to_string(page).expect("docs/supervisor.md can be read");
        assert!(text.contains(&rendered()), "docs/supervisor.md should contain:\n{}", rendered());
    }

    #[test]
    fn a_stop_always_leads_to_rest() {
        for state in states() {
            let (mut now, _) = transition(state, Event::Stop);
            for event in [Event::Died(Verdict::Again), Event::Due, Event::Empty] {
                now = transition(now, event).0;
            }
            assert_eq!(now, SeatState::Down, "from {state:?}");
        }
    }

    #[test]
    fn a_process_is_never_spawned_where_one_may_live() {
        for state in states() {
            for event in events() {
                let (_, action) = transition(state, event);
                let may_live = !matches!(state, SeatState::Down | SeatState::Backoff | SeatState::Crashed);
                if action == Action::Spawn && may_live {
                    assert_eq!(event, Event::Empty, "{state:?} spawns on {event:?}");
                }
            }
        }
    }

    #[test]
    fn whoever_waits_for_an_empty_tree_is_woken_to_kill_again() {
        for state in states() {
            if matches!(state, SeatState::Stopping(_) | SeatState::Killing(_) | SeatState::Clearing(_)) {
                assert_eq!(transition(state, Event::Due).1, Action::Kill, "{state:?}");
            }
        }
    }
}
