//! The seat table: one slot, such as `web.1`, and the runs that fill it one after the other. It has two parts. The run that
//! fills the seat ([`Held`]) depends on the spec, on orders and on the restart policy. The run beside it ([`Beside`])
//! exists only while a rollout replaces the first one. Both parts are total, pure functions, printed in docs/supervisor.md
//! and compared with it by tests.

mod beside;

use serde::{Deserialize, Serialize};

pub(crate) use beside::{Aside, Beside};

/// The state of the run that fills the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Held {
    /// Empty: never started, or stopped.
    Off,
    /// Empty, until the types that its type waits for have come as far as that.
    Waiting,
    /// Filled by a run, from the order to start it until its main process ends.
    Filled,
    /// Its run is ending; what follows is known already.
    Emptying(Then),
    /// Empty, until the delay of the restart policy is over.
    Backoff,
    /// Empty, because its directory or outputs cannot be used; starting is tried again until they can.
    Broken,
    /// Empty until its schedule says that a run is due.
    Scheduled,
    /// Empty: its run ended by itself, and by the restart policy that was final.
    Done,
    /// Empty: the restart policy has given up.
    Crashed,
}

/// What follows once a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Then {
    /// The seat stays empty.
    Off,
    /// It is filled again, at once.
    Fill,
    /// It is filled again after a delay.
    Backoff,
    /// It stays empty until its schedule says otherwise.
    Scheduled,
    /// It stays empty: the run has finished.
    Done,
    /// It stays empty: the restart policy has given up.
    Crashed,
}

/// The decision of the restart policy about a process that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterDeath {
    /// It is started again after a delay.
    Again,
    /// It is left until it is due the next time.
    Await,
    /// It is not started again: it has finished, or was a job whose end is unknown.
    Rest,
    /// It is not started again, and that is a failure.
    GiveUp,
}

/// An event of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The spec wants the seat filled. This describes what should be and is no order: every new supervisor and every change
    /// of the spec repeats it, so it starts nothing that has finished or was given up.
    Want,
    /// The spec says that it should be filled when it is due. A level as well.
    Schedule,
    /// It is due.
    Fire,
    /// An order to start it.
    Start,
    /// The spec does not contain it, or a person has ordered to stop it. Both runs end.
    Stop,
    /// An order to replace its run.
    Restart,
    /// The types that its type waits for have come as far as that.
    Met,
    /// A rollout orders a new run beside the current one.
    Replace,
    /// A rollout orders the current run to end, and no restart to follow.
    Retire,
    /// A rollout orders the run beside to end.
    Dismiss,
    /// A rollout was committed: the new run becomes the current one, and the old one the run beside.
    Promote,
    /// The main process of the current run ended by itself, or could not be started.
    Died(AfterDeath),
    /// The next run could not be started, because its directory or outputs cannot be used.
    Broke,
    /// The tree of the current run is empty.
    Empty,
    /// The tree of the run beside is empty.
    Gone,
    /// The delay is over.
    Due,
}

/// What is done about the run that fills the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Report [`Event::Met`] at once if its type waits for no other type. If it does, the supervisor reports it later.
    Hold,
    /// Start a run.
    Fill,
    /// End the current run.
    End,
    /// Begin the delay before the next start.
    Delay,
    /// Tell the clients that nothing more is to be done.
    Tell,
}

/// Both parts of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Seating {
    /// What fills it.
    pub(crate) held: Held,
    /// What is beside that.
    pub(crate) beside: Beside,
}

/// What an event makes of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// Both parts afterwards.
    pub(crate) seat: Seating,
    /// What is done about the run beside, before anything else.
    pub(crate) aside: Aside,
    /// What is done about the run that fills the seat; `None`: that part does not get the event.
    pub(crate) action: Option<Action>,
}

impl Seating {
    /// What an event makes of it.
    #[must_use]
    pub(crate) fn after(self, event: Event) -> Settled {
        let (beside, aside) = self.beside.after(event);
        let passed = self.beside.lets_through(event).then(|| self.held.after(event));
        let (held, action) = passed.map_or((self.held, None), |(held, action)| (held, Some(action)));
        Settled { seat: Self { held, beside }, aside, action }
    }
}

impl Held {
    /// The next state of the current run, and the action.
    #[must_use]
    pub(crate) fn after(self, event: Event) -> (Self, Action) {
        if event == Event::Promote {
            return (Self::Filled, Action::Nothing);
        }
        match self {
            Self::Off => from_off(event),
            Self::Waiting => from_waiting(event),
            Self::Filled => from_filled(event),
            Self::Emptying(then) => from_emptying(then, event),
            Self::Backoff => from_backoff(event),
            Self::Broken => from_broken(event),
            Self::Scheduled => from_scheduled(event),
            Self::Done | Self::Crashed => from_over(self, event),
        }
    }

    /// Whether a process of the current run may live.
    pub(crate) fn is_occupied(self) -> bool {
        match self {
            Self::Filled | Self::Emptying(_) => true,
            Self::Off
            | Self::Waiting
            | Self::Backoff
            | Self::Broken
            | Self::Scheduled
            | Self::Done
            | Self::Crashed => false,
        }
    }

    /// Whether nothing runs in it and nothing waits to be started.
    pub(crate) fn is_at_rest(self) -> bool {
        match self {
            Self::Off | Self::Done | Self::Crashed => true,
            Self::Waiting
            | Self::Filled
            | Self::Emptying(_)
            | Self::Backoff
            | Self::Broken
            | Self::Scheduled => false,
        }
    }
}

fn from_off(event: Event) -> (Held, Action) {
    match event {
        Event::Want | Event::Start | Event::Restart => (Held::Waiting, Action::Hold),
        Event::Schedule => (Held::Scheduled, Action::Tell),
        Event::Stop
        | Event::Fire
        | Event::Met
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

fn from_waiting(event: Event) -> (Held, Action) {
    match event {
        Event::Met => (Held::Filled, Action::Fill),
        Event::Schedule => (Held::Scheduled, Action::Tell),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Fire
        | Event::Start
        | Event::Restart
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone
        | Event::Due => (Held::Waiting, Action::Nothing),
    }
}

fn from_filled(event: Event) -> (Held, Action) {
    match event {
        Event::Stop | Event::Retire => (Held::Emptying(Then::Off), Action::End),
        Event::Restart => (Held::Emptying(Then::Fill), Action::End),
        Event::Died(AfterDeath::Again) => (Held::Emptying(Then::Backoff), Action::Nothing),
        Event::Died(AfterDeath::Await) => (Held::Emptying(Then::Scheduled), Action::Nothing),
        Event::Died(AfterDeath::Rest) => (Held::Emptying(Then::Done), Action::Nothing),
        Event::Died(AfterDeath::GiveUp) => (Held::Emptying(Then::Crashed), Action::Nothing),
        Event::Broke => (Held::Broken, Action::Delay),
        Event::Want
        | Event::Schedule
        | Event::Fire
        | Event::Start
        | Event::Met
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
        Event::Schedule => if_scheduled(then),
        Event::Fire => if_due(then),
        Event::Stop | Event::Retire => Then::Off,
        Event::Met
        | Event::Replace
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
        // The restart policy starts it already, after its delay, which an order to start does not cut short.
        Then::Backoff => Then::Backoff,
        Then::Off | Then::Fill | Then::Scheduled | Then::Done | Then::Crashed => Then::Fill,
    }
}

fn if_scheduled(then: Then) -> Then {
    match then {
        Then::Off | Then::Scheduled | Then::Done | Then::Crashed => Then::Scheduled,
        Then::Fill | Then::Backoff => then,
    }
}

fn if_due(then: Then) -> Then {
    match then {
        Then::Scheduled | Then::Backoff | Then::Fill => Then::Fill,
        Then::Off | Then::Done | Then::Crashed => then,
    }
}

fn if_wanted(then: Then) -> Then {
    match then {
        Then::Off | Then::Fill | Then::Scheduled => Then::Fill,
        Then::Backoff | Then::Done | Then::Crashed => then,
    }
}

fn after_end(then: Then) -> (Held, Action) {
    match then {
        Then::Off => (Held::Off, Action::Tell),
        Then::Fill => (Held::Waiting, Action::Hold),
        Then::Backoff => (Held::Backoff, Action::Delay),
        Then::Scheduled => (Held::Scheduled, Action::Tell),
        Then::Done => (Held::Done, Action::Tell),
        Then::Crashed => (Held::Crashed, Action::Tell),
    }
}

fn from_backoff(event: Event) -> (Held, Action) {
    match event {
        Event::Due | Event::Fire => (Held::Filled, Action::Fill),
        Event::Restart => (Held::Waiting, Action::Hold),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Schedule
        | Event::Start
        | Event::Met
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
        Event::Due | Event::Fire => (Held::Filled, Action::Fill),
        Event::Start | Event::Restart => (Held::Waiting, Action::Hold),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Schedule
        | Event::Met
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone => (Held::Broken, Action::Nothing),
    }
}

fn from_scheduled(event: Event) -> (Held, Action) {
    match event {
        // It is wanted or asked for anew: it has no schedule any more.
        Event::Want | Event::Restart | Event::Start => (Held::Waiting, Action::Hold),
        Event::Fire => (Held::Filled, Action::Fill),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Schedule
        | Event::Met
        | Event::Replace
        | Event::Dismiss
        | Event::Promote
        | Event::Died(_)
        | Event::Broke
        | Event::Empty
        | Event::Gone
        | Event::Due => (Held::Scheduled, Action::Nothing),
    }
}

/// `Done` and `Crashed`: only an explicit order starts it again.
fn from_over(held: Held, event: Event) -> (Held, Action) {
    match event {
        Event::Start | Event::Restart => (Held::Waiting, Action::Hold),
        Event::Schedule => (Held::Scheduled, Action::Tell),
        Event::Stop | Event::Retire => (Held::Off, Action::Tell),
        Event::Want
        | Event::Fire
        | Event::Met
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

#[cfg(test)]
mod tests;
