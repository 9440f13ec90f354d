//! Decides which worker listens at which place, and which one gets the next connection. This is a state machine without descriptors:
//! connections are values of any type `C`, and the tests use numbers.
//!
//! As in Node's own primary, a worker has at most one connection that it has not acknowledged. A busy worker therefore
//! gets fewer. If a worker ends, at most one unacknowledged connection is left, which goes to another worker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use rustix::io::Errno;
use serde_json::Value;

use crate::place::Place;
use crate::wire::{self, Asked, Query, Said};
use crate::worker::{Given, Id, Phase, Worker};

/// An action for the owner of the state machine.
#[derive(Debug, PartialEq)]
pub(crate) enum Act<C> {
    /// Send a worker this message.
    Tell(Id, Value),
    /// Send a worker a connection with this message.
    Hand(Id, Value, C),
    /// Listen at this place, and report the result to [`Cluster::opened`].
    Open(Id, Query, Place),
    /// Send a worker the socket of this place itself, with this message.
    Share(Id, Value, Place),
    /// Close this place, because no worker listens there any more.
    Shut(Place),
    /// Close a connection that no worker wants.
    Close(C),
}

#[derive(Debug)]
struct Waiting<C> {
    connection: C,
    refused_by: BTreeSet<Id>,
}

/// A place at which workers listen.
#[derive(Debug)]
struct Door<C> {
    /// Connections that a worker has returned.
    waiting: VecDeque<Waiting<C>>,
    /// Data that its workers share.
    data: Value,
    /// Whether workers get the socket itself, and accept connections by themselves.
    is_shared: bool,
}

/// The workers, and the places at which they listen.
#[derive(Debug)]
pub(crate) struct Cluster<C> {
    workers: BTreeMap<Id, Worker<C>>,
    doors: BTreeMap<Place, Door<C>>,
    /// The number of connections so far. It shows which worker has waited longest for a connection.
    turn: u64,
    seq: u64,
    shares_all: bool,
}

impl<C: Clone> Cluster<C> {
    /// A cluster without workers. With `shares_all`, workers get the sockets themselves, and not single connections.
    pub(crate) fn new(shares_all: bool) -> Self {
        Self { workers: BTreeMap::new(), doors: BTreeMap::new(), turn: 0, seq: 0, shares_all }
    }

    /// Adds a worker that has been started. It gets connections once it listens and is admitted.
    pub(crate) fn join(&mut self, id: Id, is_admitted: bool) {
        self.workers.insert(id, Worker::new(is_admitted));
    }

    /// Admits a worker, so that it may get connections.
    pub(crate) fn admit(&mut self, id: Id) -> Vec<Act<C>> {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.is_admitted = true;
        }
        self.serve()
    }

    /// Tells a worker to take no more connections, and to disconnect when its last one has ended.
    pub(crate) fn leave(&mut self, id: Id) -> Vec<Act<C>> {
        match self.workers.get_mut(&id) {
            Some(worker) if worker.phase != Phase::Leaving => {
                worker.phase = Phase::Leaving;
                vec![Act::Tell(id, wire::disconnect(worker.is_old))]
            }
            _ => Vec::new(),
        }
    }

    /// Removes a worker that has ended. Its places stay open for the next one.
    pub(crate) fn gone(&mut self, id: Id) -> Vec<Act<C>> {
        let given = self.workers.remove(&id).and_then(|mut worker| worker.given.take());
        if let Some(given) = given {
            self.take_back(id, given);
        }
        self.serve()
    }

    /// Handles a message of a worker.
    pub(crate) fn hear(&mut self, id: Id, said: Said) -> Vec<Act<C>> {
        let Some(worker) = self.workers.get_mut(&id) else { return Vec::new() };
        match said {
            Said::Query(query) => return self.asked(id, query),
            Said::Listening if worker.phase == Phase::Starting => worker.phase = Phase::Listening,
            Said::Close { key } => return self.closed(id, &key),
            Said::Answer { to, accepted } => self.answered(id, to, accepted),
            Said::HandleMissed => {
                if let Some(given) = worker.given.take() {
                    self.take_back(id, given);
                }
            }
            Said::Leaves(asked) => {
                worker.phase = Phase::Leaving;
                return vec![Act::Tell(id, wire::heard(&asked))];
            }
            Said::Listening
            | Said::HandleTaken
            | Said::Carried(_)
            | Said::App
            | Said::Other
            | Said::Garbage => return Vec::new(),
        }
        self.serve()
    }

    fn asked(&mut self, id: Id, query: Query) -> Vec<Act<C>> {
        let Some(worker) = self.workers.get_mut(&id) else { return Vec::new() };
        worker.is_old = matches!(query.asked, Asked::Word(_));
        match query.place.clone() {
            // Node's own primary does not answer such a message either.
            _ if worker.phase == Phase::Leaving => Vec::new(),
            Ok(place) if !worker.places.contains(&place) => vec![Act::Open(id, query, place)],
            Ok(_) => vec![Act::Tell(id, wire::may_not_listen(&query.asked, Errno::ADDRINUSE))],
            Err(why) => vec![Act::Tell(id, wire::may_not_listen(&query.asked, why))],
        }
    }

    /// The result of [`Act::Open`]: the name of the socket (none for a Unix socket), or the error.
    pub(crate) fn opened(
        &mut self,
        id: Id,
        query: &Query,
        opened: Result<Option<SocketAddr>, Errno>,
    ) -> Vec<Act<C>> {
        let (Some(worker), Ok(place)) = (self.workers.get_mut(&id), &query.place) else { return Vec::new() };
        let name = match opened {
            Err(why) => return vec![Act::Tell(id, wire::may_not_listen(&query.asked, why))],
            Ok(name) => name,
        };
        worker.places.insert(place.clone());
        // Node 0.10 cannot take single connections from its primary.
        let is_shared = self.shares_all || worker.is_old || matches!(place, Place::Udp(_));
        let new = || Door { waiting: VecDeque::new(), data: Value::Null, is_shared };
        let door = self.doors.entry(place.clone()).or_insert_with(new);
        door.is_shared |= is_shared;
        if door.data.is_null() {
            door.data = query.data.clone();
        }
        let answer = wire::may_listen(&query.asked, &key(place), &door.data, name);
        let mut acts = if door.is_shared {
            vec![Act::Share(id, answer, place.clone())]
        } else {
            vec![Act::Tell(id, answer)]
        };
        acts.extend(self.serve());
        acts
    }

    fn closed(&mut self, id: Id, key: &str) -> Vec<Act<C>> {
        let Some(worker) = self.workers.get_mut(&id) else { return Vec::new() };
        let Some(place) = worker.places.iter().find(|place| self::key(place) == key).cloned() else {
            return Vec::new();
        };
        worker.places.remove(&place);
        let is_leaving = worker.phase == Phase::Leaving;
        let is_used = self.workers.values().any(|worker| worker.places.contains(&place));
        // The places of a worker that leaves stay open for the next one.
        if is_leaving || is_used { self.serve() } else { self.shut(&place) }
    }

    fn shut(&mut self, place: &Place) -> Vec<Act<C>> {
        let waiting = self.doors.remove(place).map(|door| door.waiting).unwrap_or_default();
        let closed = waiting.into_iter().map(|waiting| Act::Close(waiting.connection));
        std::iter::once(Act::Shut(place.clone())).chain(closed).collect()
    }

    /// Closes the places where no worker listens.
    pub(crate) fn shut_unused(&mut self) -> Vec<Act<C>> {
        let is_used = |place: &Place| self.workers.values().any(|worker| worker.places.contains(place));
        let unused: Vec<Place> = self.doors.keys().filter(|place| !is_used(place)).cloned().collect();
        unused.iter().flat_map(|place| self.shut(place)).collect()
    }

    fn answered(&mut self, id: Id, to: u64, accepted: bool) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(given) = worker.given.take_if(|given| given.seq == to) else { return };
        if accepted {
            worker.taken += 1;
        } else {
            self.take_back(id, given);
        }
    }

    fn take_back(&mut self, id: Id, mut given: Given<C>) {
        given.refused_by.insert(id);
        if let Some(door) = self.doors.get_mut(&given.place) {
            let Given { connection, refused_by, .. } = given;
            door.waiting.push_front(Waiting { connection, refused_by });
        }
    }

    /// Whether a worker could take a connection of this place now.
    pub(crate) fn wants(&self, place: &Place) -> bool {
        self.doors.get(place).is_some_and(|door| !door.is_shared && door.waiting.is_empty())
            && self.free(place, &BTreeSet::new()).is_some()
    }

    /// Handles a new connection.
    pub(crate) fn accepted(&mut self, place: &Place, connection: C) -> Vec<Act<C>> {
        let Some(door) = self.doors.get_mut(place) else { return vec![Act::Close(connection)] };
        door.waiting.push_back(Waiting { connection, refused_by: BTreeSet::new() });
        self.serve()
    }

    /// The worker that listens at this place, has no unacknowledged connection, and has waited longest for one.
    fn free(&self, place: &Place, except: &BTreeSet<Id>) -> Option<Id> {
        let free = |(id, worker): &(&Id, &Worker<C>)| {
            worker.listens(place) && worker.given.is_none() && !except.contains(id)
        };
        self.workers.iter().filter(free).min_by_key(|(_, worker)| worker.turn).map(|(id, _)| *id)
    }

    /// Gives waiting connections to free workers. A connection that every worker has refused is closed: each worker has as many as it
    /// permits (`maxConnections`).
    fn serve(&mut self) -> Vec<Act<C>> {
        let mut acts = Vec::new();
        let places: Vec<Place> =
            self.doors.iter().filter(|(_, door)| !door.waiting.is_empty()).map(|(p, _)| p.clone()).collect();
        for place in places {
            let door = self.doors.get_mut(&place);
            for waiting in door.map(|door| std::mem::take(&mut door.waiting)).unwrap_or_default() {
                if let Some(id) = self.free(&place, &waiting.refused_by) {
                    acts.extend(self.give(id, &place, waiting));
                } else if self.is_unwanted(&place, &waiting.refused_by) {
                    acts.push(Act::Close(waiting.connection));
                } else if let Some(door) = self.doors.get_mut(&place) {
                    door.waiting.push_back(waiting);
                }
            }
        }
        acts
    }

    fn is_unwanted(&self, place: &Place, refused_by: &BTreeSet<Id>) -> bool {
        let mut listening = self.workers.iter().filter(|(_, worker)| worker.listens(place)).peekable();
        listening.peek().is_some() && listening.all(|(id, _)| refused_by.contains(id))
    }

    fn give(&mut self, id: Id, place: &Place, waiting: Waiting<C>) -> Option<Act<C>> {
        let worker = self.workers.get_mut(&id)?;
        (self.turn, self.seq) = (self.turn + 1, self.seq + 1);
        worker.turn = self.turn;
        let Waiting { connection, refused_by } = waiting;
        let message = wire::connection(self.seq, &key(place));
        let act = Act::Hand(id, message, connection.clone());
        worker.given = Some(Given { seq: self.seq, place: place.clone(), connection, refused_by });
        Some(act)
    }

    /// The worker with this number, if it exists.
    pub(crate) fn worker(&self, id: Id) -> Option<&Worker<C>> {
        self.workers.get(&id)
    }

    /// The places with an open socket.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.doors.keys()
    }
}

/// The name of a place in messages. No two places have the same one.
pub(crate) fn key(place: &Place) -> String {
    serde_json::to_string(place).unwrap_or_default()
}

#[cfg(test)]
mod tests;
