//! The heart: what a seat does when something happens to it. A total, pure function, state x event -> state + action,
//! printed in docs/supervisor.md and checked against it by a test. Timers, processes and sockets live around it.

/// What a seat is doing. A seat is the place of one instance, `<type>.<n>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SeatState {
    /// Empty: it was never started, or somebody stopped it.
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
    /// Empty: its process ended by itself, and that was its end.
    Done,
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
    /// It is left: it was done, or nobody can say that it was not.
    Rest,
    /// It is left, and that is not fine.
    GiveUp,
}

/// What can happen to a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The spec says that it should be filled. That is a level, not an act: it is said again by every supervisor that
    /// starts and after every change of the spec, so it never wakes what is over.
    Want,
    /// Somebody asked for it to be started.
    Start,
    /// It is not wanted, or somebody asked for it to be stopped.
    Stop,
    /// Somebody asked for a new process, or there is a new release.
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
        SeatState::Done => from_over(SeatState::Done, event),
        SeatState::Crashed => from_over(SeatState::Crashed, event),
    }
}

fn from_down(event: Event) -> (SeatState, Action) {
    match event {
        Event::Want | Event::Start | Event::Restart => (SeatState::Starting, Action::Spawn),
        Event::Stop | Event::Ready | Event::Died(_) | Event::Empty | Event::Due => {
            (SeatState::Down, Action::Nothing)
        }
    }
}

fn from_alive(state: SeatState, event: Event) -> (SeatState, Action) {
    match event {
        Event::Want | Event::Start | Event::Empty | Event::Due => (state, Action::Nothing),
        Event::Stop => (SeatState::Stopping(Then::Rest), Action::Terminate),
        Event::Restart => (SeatState::Stopping(Then::Again), Action::Terminate),
        Event::Ready if state == SeatState::Up => (state, Action::Nothing),
        Event::Ready => (SeatState::Up, Action::Announce),
        Event::Died(verdict) => (SeatState::Clearing(verdict), Action::Kill),
    }
}

fn from_stopping(then: Then, event: Event) -> (SeatState, Action) {
    match event {
        Event::Want | Event::Start | Event::Restart => (SeatState::Stopping(Then::Again), Action::Nothing),
        Event::Stop => (SeatState::Stopping(Then::Rest), Action::Nothing),
        Event::Ready | Event::Died(_) => (SeatState::Stopping(then), Action::Nothing),
        Event::Empty => after_stop(then),
        Event::Due => (SeatState::Killing(then), Action::Kill),
    }
}

fn from_killing(then: Then, event: Event) -> (SeatState, Action) {
    match event {
        Event::Want | Event::Start | Event::Restart => (SeatState::Killing(Then::Again), Action::Nothing),
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
        // It comes back by itself, after the delay that its deaths have earned.
        Event::Start if verdict == Verdict::Again => (SeatState::Clearing(verdict), Action::Nothing),
        Event::Start | Event::Restart => (SeatState::Killing(Then::Again), Action::Nothing),
        Event::Stop => (SeatState::Killing(Then::Rest), Action::Nothing),
        Event::Want | Event::Ready | Event::Died(_) => (SeatState::Clearing(verdict), Action::Nothing),
        Event::Empty => match verdict {
            Verdict::Again => (SeatState::Backoff, Action::Delay),
            Verdict::Rest => (SeatState::Done, Action::Announce),
            Verdict::GiveUp => (SeatState::Crashed, Action::Announce),
        },
        Event::Due => (SeatState::Clearing(verdict), Action::Kill),
    }
}

fn from_backoff(event: Event) -> (SeatState, Action) {
    match event {
        Event::Due | Event::Restart => (SeatState::Starting, Action::Spawn),
        Event::Stop => (SeatState::Down, Action::Announce),
        Event::Want | Event::Start | Event::Ready | Event::Died(_) | Event::Empty => {
            (SeatState::Backoff, Action::Nothing)
        }
    }
}

/// From `Done` and `Crashed`: only somebody who asks for it starts it again.
fn from_over(state: SeatState, event: Event) -> (SeatState, Action) {
    match event {
        Event::Start | Event::Restart => (SeatState::Starting, Action::Spawn),
        Event::Stop => (SeatState::Down, Action::Announce),
        Event::Want | Event::Ready | Event::Died(_) | Event::Empty | Event::Due => (state, Action::Nothing),
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
        all.extend([SeatState::Backoff, SeatState::Done, SeatState::Crashed]);
        all
    }

    fn events() -> Vec<Event> {
        let mut all = vec![Event::Want, Event::Start, Event::Stop, Event::Restart, Event::Ready];
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
                let is_vacant = [SeatState::Down, SeatState::Backoff, SeatState::Done, SeatState::Crashed];
                let may_live = !is_vacant.contains(&state);
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
    /// What the world does by itself, in any order, without a person: it never leads to a process from these states.
    #[test]
    fn what_is_wanted_never_wakes_what_is_over() {
        let by_itself = [Event::Want, Event::Ready, Event::Died(Verdict::Again), Event::Empty, Event::Due];
        let clearing = [Verdict::Rest, Verdict::GiveUp].map(SeatState::Clearing);
        let mut reached = vec![SeatState::Done, SeatState::Crashed];
        reached.extend(clearing);
        let mut next = 0;
        while let Some(state) = reached.get(next).copied() {
            for event in by_itself {
                let (after, action) = transition(state, event);
                assert_ne!(action, Action::Spawn, "{event:?} wakes {state:?}");
                if !reached.contains(&after) {
                    reached.push(after);
                }
            }
            next += 1;
        }
        assert_eq!(reached.len(), 4, "{reached:?}");
    }

    #[test]
    fn what_somebody_asks_for_is_started_from_every_state() {
        for state in states() {
            for event in [Event::Start, Event::Restart] {
                let (mut now, action) = transition(state, event);
                let mut has_spawned = action == Action::Spawn;
                let is_alive = matches!(state, SeatState::Starting | SeatState::Up);
                for event in [Event::Empty, Event::Due, Event::Empty] {
                    let (after, action) = transition(now, event);
                    has_spawned |= action == Action::Spawn;
                    now = after;
                }
                assert!(has_spawned || (is_alive && event == Event::Start), "{event:?} is lost in {state:?}");
            }
        }
    }

    #[test]
    fn what_somebody_stopped_stays_down_until_it_is_wanted_or_asked_for() {
        for state in states() {
            let mut now = transition(state, Event::Stop).0;
            for event in [Event::Empty, Event::Due, Event::Empty, Event::Ready, Event::Died(Verdict::Again)] {
                now = transition(now, event).0;
            }
            assert_eq!(now, SeatState::Down, "from {state:?}");
        }
    }
}
