//! The processes, and the next step for each: a state machine that is told events and times, and returns actions.
//! It starts and signals no process itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use node_primary::Id;

/// The pause before a process that died early is started again; doubled with each further early death.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A process that has lived for this long did not die early.
const SETTLED: Duration = Duration::from_secs(10);
/// How long a process that has left may take to end by itself, before it gets a signal.
const GOODBYE: Duration = Duration::from_secs(1);

/// An event of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It listens.
    Listens,
    /// Its program says that it will leave, or has closed its channel.
    Leaves,
    /// It was told to leave, and its last connection has ended.
    Drained,
    /// It has ended, with this exit status as a shell reports it.
    Ended(u8),
}

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Start a process, with this id, at this place, counted from 0.
    Start(Id, usize),
    /// Tell the process to leave.
    Leave(Id),
    /// SIGTERM.
    Terminate(Id),
    /// SIGKILL.
    Kill(Id),
    /// Print a message for people.
    Say(String),
    /// All processes listen.
    Ready,
    /// A reload has begun.
    Reloading,
    /// Exit with this status.
    Finish(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The process has to listen before this time.
    Starting {
        until: Instant,
    },
    Serving,
    /// The process has to end before this time. If it has drained, it gets SIGTERM at the time `told`.
    Leaving {
        told: Option<Instant>,
        until: Instant,
    },
    /// The channel of the process is closed, and it has not ended yet. It has to end before this time.
    Lost {
        until: Instant,
    },
    /// The process was killed. When it ends, another one takes its place, unless that is not needed any more.
    Killed {
        is_missed: bool,
    },
}

#[derive(Debug)]
struct Member {
    state: State,
    since: Instant,
    place: usize,
}

/// The old processes that are still to be replaced, and the new one that has to listen first.
#[derive(Debug)]
struct Reload {
    old: VecDeque<Id>,
    incoming: Id,
}

/// The number of processes, and their time limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) size: usize,
    pub(crate) listen_limit: Duration,
    pub(crate) drain_limit: Duration,
}

/// The processes of one program.
#[derive(Debug)]
pub(crate) struct Crew {
    terms: Terms,
    members: BTreeMap<Id, Member>,
    last: Id,
    reload: Option<Reload>,
    /// The number of early deaths in a row.
    deaths: u32,
    /// When missing processes are started.
    starts_at: Option<Instant>,
    is_ready: bool,
    /// Set if all processes are to end: the exit status.
    ending: Option<u8>,
    orders: Vec<Order>,
}

impl Crew {
    /// A crew whose processes are all to be started.
    pub(crate) fn new(terms: Terms, now: Instant) -> Self {
        let (members, orders) = <(BTreeMap<Id, Member>, Vec<Order>)>::default();
        let starts_at = Some(now);
        Self {
            terms,
            members,
            last: 0,
            reload: None,
            deaths: 0,
            starts_at,
            is_ready: false,
            ending: None,
            orders,
        }
    }

    /// Takes the actions that are due.
    pub(crate) fn orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// The name of a process, for people.
    pub(crate) fn name(&self, id: Id) -> String {
        self.members.get(&id).map_or_else(|| id.to_string(), |member| member.place.to_string())
    }

    /// Handles an event of a process.
    pub(crate) fn hear(&mut self, id: Id, happened: &Happened, now: Instant) {
        let Some(member) = self.members.get_mut(&id) else { return };
        match (member.state, happened) {
            (State::Starting { .. }, Happened::Listens) => {
                member.state = State::Serving;
                self.listens(id, now);
            }
            (State::Serving, Happened::Leaves) => {
                member.state = State::Leaving { told: None, until: now + self.terms.drain_limit };
                let since = member.since;
                self.is_short(since, now);
            }
            (State::Serving, Happened::Drained) => {
                member.state = State::Lost { until: now + self.terms.drain_limit };
            }
            (State::Leaving { told: None, until }, Happened::Drained) => {
                member.state = State::Leaving { told: Some(now + GOODBYE), until };
            }
            (_, Happened::Ended(status)) => {
                let is_incoming = self.is_incoming(id);
                if let Some(member) = self.members.remove(&id) {
                    self.has_ended(&member, *status, is_incoming, now);
                }
            }
            // A process that has not listened yet fails at its end.
            (
                State::Starting { .. }
                | State::Serving
                | State::Leaving { .. }
                | State::Lost { .. }
                | State::Killed { .. },
                Happened::Listens | Happened::Leaves | Happened::Drained,
            ) => (),
        }
        self.settle();
    }

    fn is_incoming(&self, id: Id) -> bool {
        self.reload.as_ref().is_some_and(|reload| reload.incoming == id)
    }

    fn listens(&mut self, id: Id, now: Instant) {
        if self.is_incoming(id) {
            let old = self.reload.as_mut().and_then(|reload| reload.old.pop_front());
            if let Some(old) = old {
                self.let_leave(old, now);
            }
            self.replace_next(now);
        }
        if !self.is_ready && self.serving() == self.terms.size {
            self.is_ready = true;
            self.orders.push(Order::Ready);
        }
    }

    fn has_ended(&mut self, member: &Member, status: u8, is_incoming: bool, now: Instant) {
        let ended = format!("process {} has ended with status {status}", member.place);
        if self.ending.is_some() {
            return;
        }
        match member.state {
            State::Starting { .. } | State::Killed { is_missed: true } if is_incoming => {
                self.give_up(&format!("{ended} before it listened"), now);
            }
            State::Starting { .. } | State::Killed { is_missed: true } if !self.is_ready => {
                self.say(format!("{ended} before it listened"));
                let was_late = member.state == State::Killed { is_missed: true };
                self.end_with(if was_late { 1 } else { status.max(1) }, now);
            }
            State::Starting { .. }
            | State::Serving
            | State::Lost { .. }
            | State::Killed { is_missed: true } => {
                self.say(ended);
                self.is_short(member.since, now);
            }
            State::Leaving { .. } | State::Killed { is_missed: false } => (),
        }
    }

    /// Handles that a process is lost which began to serve at `since`: another one is started in its place.
    fn is_short(&mut self, since: Instant, now: Instant) {
        if self.ending.is_none() {
            self.deaths = if now - since < SETTLED { self.deaths + 1 } else { 0 };
            let pause = match self.deaths {
                0 => Duration::ZERO,
                deaths => LONGEST_PAUSE.min(PAUSE * 2u32.saturating_pow((deaths - 1).min(10))),
            };
            self.starts_at = Some(self.starts_at.map_or(now + pause, |at| at.min(now + pause)));
        }
    }

    /// Begins to replace each process by a new one.
    pub(crate) fn reload(&mut self, now: Instant) {
        if self.ending.is_some() || !self.is_ready || self.reload.is_some() {
            self.say("a reload is not possible now: ps-node is starting, reloading or ending".to_owned());
            return;
        }
        let is_old = |member: &Member| matches!(member.state, State::Starting { .. } | State::Serving);
        let old = self.members.iter().filter(|(_, member)| is_old(member)).map(|(id, _)| *id).collect();
        self.orders.push(Order::Reloading);
        self.reload = Some(Reload { old, incoming: 0 });
        self.replace_next(now);
    }

    fn replace_next(&mut self, now: Instant) {
        let Some(mut reload) = self.reload.take() else { return };
        let is_there = |id: &Id| {
            let state = self.members.get(id).map(|member| member.state);
            matches!(state, Some(State::Starting { .. } | State::Serving))
        };
        // A process that has died meanwhile was replaced already.
        reload.old.retain(is_there);
        let place = reload.old.front().and_then(|old| self.members.get(old)).map(|member| member.place);
        if let Some(place) = place {
            reload.incoming = self.start(place, now);
            self.reload = Some(reload);
        } else {
            self.say("all processes are new".to_owned());
            self.orders.push(Order::Ready);
        }
    }

    fn give_up(&mut self, reason: &str, now: Instant) {
        self.reload = None;
        // The old process whose place the new one was to take may have died meanwhile.
        self.starts_at = Some(self.starts_at.map_or(now, |at| at.min(now)));
        self.say(format!("the reload is given up, the old processes go on: {reason}"));
        self.orders.push(Order::Ready);
    }

    /// Ends all processes; on the second call, at once.
    pub(crate) fn end(&mut self, now: Instant) {
        if self.ending.is_some() {
            for id in self.all() {
                self.kill(id);
            }
        } else {
            self.end_with(0, now);
        }
        self.settle();
    }

    fn end_with(&mut self, status: u8, now: Instant) {
        self.ending = Some(status);
        self.reload = None;
        self.starts_at = None;
        for id in self.all() {
            self.let_leave(id, now);
        }
    }

    fn all(&self) -> Vec<Id> {
        self.members.keys().copied().collect()
    }

    fn let_leave(&mut self, id: Id, now: Instant) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let until = now + self.terms.drain_limit;
        let (order, told) = match member.state {
            State::Serving => (Order::Leave(id), None),
            // A starting process has no connection yet.
            State::Starting { .. } => (Order::Terminate(id), Some(until)),
            State::Leaving { .. } | State::Lost { .. } | State::Killed { .. } => return,
        };
        member.state = State::Leaving { told, until };
        self.orders.push(order);
    }

    fn kill(&mut self, id: Id) {
        if let Some(member) = self.members.get_mut(&id) {
            let is_missed =
                !matches!(member.state, State::Leaving { .. } | State::Killed { is_missed: false });
            member.state = State::Killed { is_missed };
            self.orders.push(Order::Kill(id));
        }
    }

    /// Carries out the steps that are due.
    pub(crate) fn look(&mut self, now: Instant) {
        if self.starts_at.take_if(|at| *at <= now).is_some() {
            for place in self.free_places() {
                self.start(place, now);
            }
        }
        let late: Vec<(Id, State)> = self.members.iter().map(|(id, member)| (*id, member.state)).collect();
        for (id, state) in late {
            match state {
                State::Starting { until } if until <= now => {
                    let seconds = self.terms.listen_limit.as_secs();
                    self.say(format!("process {} does not listen after {seconds} s", self.name(id)));
                    self.kill(id);
                }
                State::Leaving { until, .. } if until <= now => {
                    let seconds = self.terms.drain_limit.as_secs();
                    self.say(format!(
                        "process {} has not ended after {seconds} s: it is killed",
                        self.name(id)
                    ));
                    self.kill(id);
                }
                State::Lost { until } if until <= now => self.kill(id),
                State::Leaving { told: Some(told), until } if told <= now => {
                    self.members
                        .entry(id)
                        .and_modify(|m| m.state = State::Leaving { told: Some(until), until });
                    self.orders.push(Order::Terminate(id));
                }
                State::Starting { .. }
                | State::Serving
                | State::Leaving { .. }
                | State::Lost { .. }
                | State::Killed { .. } => (),
            }
        }
        self.settle();
    }

    /// When the next step is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let of = |member: &Member| match member.state {
            State::Starting { until } | State::Lost { until } => Some(until),
            State::Leaving { told, until } => Some(told.unwrap_or(until).min(until)),
            State::Serving | State::Killed { .. } => None,
        };
        self.members.values().filter_map(of).chain(self.starts_at).min()
    }

    fn start(&mut self, place: usize, now: Instant) -> Id {
        self.last += 1;
        let state = State::Starting { until: now + self.terms.listen_limit };
        self.members.insert(self.last, Member { state, since: now, place });
        self.orders.push(Order::Start(self.last, place));
        self.last
    }

    /// The places without a process. A process that leaves has no place.
    fn free_places(&self) -> Vec<usize> {
        let is_left =
            |state: State| matches!(state, State::Leaving { .. } | State::Killed { is_missed: false });
        let staying = self.members.values().filter(|member| !is_left(member.state));
        let taken: BTreeSet<usize> = staying.map(|member| member.place).collect();
        (0..self.terms.size).filter(|place| !taken.contains(place)).collect()
    }

    fn serving(&self) -> usize {
        self.members.values().filter(|member| member.state == State::Serving).count()
    }

    fn settle(&mut self) {
        if let Some(status) = self.ending.filter(|_| self.members.is_empty()) {
            self.orders.push(Order::Finish(status));
        }
    }

    fn say(&mut self, text: String) {
        self.orders.push(Order::Say(text));
    }
}

#[cfg(test)]
mod tests;
