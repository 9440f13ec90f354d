//! The seat table: one slot, such as `web.1`, and the runs that fill it one after the other. It is in two parts. What fills
//! the seat ([`Held`]) is a matter of what is wanted, asked for, and of restart policies. Who stands beside that ([`Beside`]) is
//! a matter of replacing it, during which two runs live in one slot. Both are total, pure functions, printed in
//! docs/supervisor.md and checked against it by tests.

/// What fills the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    /// Nothing: it was never started, or was told to be empty.
    Off,
    /// Its run, from the order to start it until its main process ends.
    Filled,
    /// Its run is ending; then what?
    Emptying(Then),
    /// Nothing; it waits to be filled again.
    Backoff,
    /// Nothing, because its place cannot be used; that is tried again for as long as it lasts.
    Broken,
    /// Nothing: its run ended by itself, and that was its end.
    Done,
    /// Nothing: given up.
    Crashed,
}

/// What follows once a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// The seat stays empty.
    Off,
    /// It is filled again, at once.
    Fill,
    /// It is filled again after a delay.
    Backoff,
    /// It stays empty: the run did what it was started for.
    Done,
    /// It stays empty, and that is not fine.
    Crashed,
}

/// Who lives beside what fills the seat: then the seat is being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Beside {
    /// Nobody.
    Nobody,
    /// A run that may take the seat.
    Incoming,
    /// A run that had the seat before.
    Leaving,
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
    /// It is not wanted, or somebody asked for it to be stopped: all of it.
    Stop,
    /// Somebody asked for another run in the place of the one that fills it.
    Restart,
    /// A rollout asked for a run beside the one that fills it.
    Replace,
    /// A rollout asked for what fills it to end, and not to be started again.
    Retire,
    /// A rollout asked for the run beside to end.
    Dismiss,
    /// A rollout was committed: the run that came in fills the seat, and what filled it is beside.
    Promote,
    /// The main process of what fills it ended by itself, or could not be started.
    Died(Verdict),
    /// What was to fill it could not be started, because its place cannot be used.
    Broke,
    /// Nothing is left of the run that filled it.
    Empty,
    /// Nothing is left of the run beside.
    Gone,
    /// The time it was given has passed.
    Due,
}

/// What is done about what fills the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Start a run.
    Fill,
    /// End the run that fills it.
    End,
    /// Begin the delay before the next start.
    Delay,
    /// Tell whoever watches: nothing more is to be done.
    Tell,
}

/// What is done about who is beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Aside {
    /// Nothing.
    Nothing,
    /// Start a run beside.
    Bring,
    /// End the run beside.
    End,
    /// The two runs change places.
    Swap,
}

impl Held {
    /// What becomes of what fills the seat.
    #[must_use]
    pub(crate) fn after(self, event: Event) -> (Self, Action) {
        if event == Event::Promote {
            return (Self::Filled, Action::Nothing);
        }
        match self {
            Self::Off => from_off(event),
            Self::Filled => from_filled(event),
            Self::Emptying(then) => from_emptying(then, event),
            Self::Backoff => from_backoff(event),
            Self::Broken => from_broken(event),
            Self::Done | Self::Crashed => from_over(self, event),
        }
    }

    /// Whether a run may live in it.
    pub(crate) fn is_occupied(self) -> bool {
        match self {
            Self::Filled | Self::Emptying(_) => true,
            Self::Off | Self::Backoff | Self::Broken | Self::Done | Self::Crashed => false,
        }
    }

    /// Whether nothing runs in it and nothing is about to.
    pub(crate) fn is_at_rest(self) -> bool {
        match self {
            Self::Off | Self::Done | Self::Crashed => true,
            Self::Filled | Self::Emptying(_) | Self::Backoff | Self::Broken => false,
        }
    }
}

fn from_off(event: Event) -> (Held, Action) {
    match event {
        Event::Want | Event::Start | Event::Restart => (Held::Filled, Action::Fill),
        Event::Stop
        | Event::Replace
        | Event::Retire
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone
        | Event::Due => (Held::Off, Action::Nothing),
    }
}

fn from_filled(event: Event) -> (Held, Action) {
    match event {
        Event::Stop | Event::Retire => (Held::Emptying(Then::Off), Action::End),
        Event::Restart => (Held::Emptying(Then::Fill), Action::End),
        Event::Died(Verdict::Again) => (Held::Emptying(Then::Backoff), Action::Nothing),
        Event::Died(Verdict::Rest) => (Held::Emptying(Then::Done), Action::Nothing),
        Event::Died(Verdict::GiveUp) => (Held::Emptying(Then::Crashed), Action::Nothing),
        Event::Broke => (Held::Broken, Action::Delay),
        Event::Want
        | Event::Start
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Empty
        | Event::Gone
        | Event::Due => (Held::Filled, Action::Nothing),
    }
}

fn from_emptying(then: Then, event: Event) -> (Held, Action) {
    let next = match event {
        Event::Empty => return after_end(then),
        Event::Restart => Then::Fill,
        Event::Start => if_asked(then),
        Event::Want => if_wanted(then),
        Event::Stop | Event::Retire => Then::Off,
        Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Gone
        | Event::Due => then,
    };
    (Held::Emptying(next), Action::Nothing)
}

fn if_asked(then: Then) -> Then {
    match then {
        // It comes back by itself, after the delay that its deaths have earned.
        Then::Backoff => Then::Backoff,
        Then::Off | Then::Fill | Then::Done | Then::Crashed => Then::Fill,
    }
}

fn if_wanted(then: Then) -> Then {
    match then {
        Then::Off | Then::Fill => Then::Fill,
        Then::Backoff | Then::Done | Then::Crashed => then,
    }
}

fn after_end(then: Then) -> (Held, Action) {
    match then {
        Then::Off => (Held::Off, Action::Tell),
        Then::Fill => (Held::Filled, Action::Fill),
        Then::Backoff => (Held::Backoff, Action::Delay),
        Then::Done => (Held::Done, Action::Tell),
        Then::Crashed => (Held::Crashed, Action::Tell),
    }
}

fn from_backoff(event: Event) -> (Held, Action) {
    match event {
        Event::Due | Event::Restart => (Held::Filled, Action::Fill),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Start
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone => (Held::Backoff, Action::Nothing),
    }
}

fn from_broken(event: Event) -> (Held, Action) {
    match event {
        Event::Due | Event::Start | Event::Restart => (Held::Filled, Action::Fill),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone => (Held::Broken, Action::Nothing),
    }
}

/// From `Done` and `Crashed`: only somebody who asks for it starts it again.
fn from_over(held: Held, event: Event) -> (Held, Action) {
    match event {
        Event::Start | Event::Restart => (Held::Filled, Action::Fill),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone
        | Event::Due => (held, Action::Nothing),
    }
}

impl Beside {
    /// What becomes of who is beside.
    #[must_use]
    pub(crate) fn after(self, event: Event) -> (Self, Aside) {
        match self {
            Self::Nobody => from_nobody(event),
            Self::Incoming => from_incoming(event),
            Self::Leaving => from_leaving(event),
        }
    }

    /// Whether what fills the seat hears of an event. While a run comes in, a rollout has the seat: then neither what is
    /// wanted nor a start or a restart that somebody asks for means anything to it, and a stop still does.
    #[must_use]
    pub(crate) fn lets_through(self, event: Event) -> bool {
        match event {
            Event::Want | Event::Start | Event::Restart => self != Self::Incoming,
            // It was promoted already.
            Event::Promote => self != Self::Leaving,
            Event::Stop
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

/// A run that came in and has ended may still be promoted: a job that did what it was started for.
fn from_nobody(event: Event) -> (Beside, Aside) {
    match event {
        Event::Replace => (Beside::Incoming, Aside::Bring),
        Event::Promote => (Beside::Leaving, Aside::Swap),
        Event::Want
        | Event::Start
        | Event::Stop
        | Event::Restart
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
        | Event::Start
        | Event::Restart
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
        | Event::Start
        | Event::Restart
        | Event::Replace
        | Event::Retire
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Due => (Beside::Leaving, Aside::Nothing),
    }
}

#[cfg(test)]
mod tests;
