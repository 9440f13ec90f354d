//! The state that all tasks share: the table of backends, the connections, and the counts.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use balance::wire::{Drained, Numbers, Report, Set};
use balance::{InvalidSet, Key, Table};
use balance_tls::Source;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::args::Args;
use crate::clock;
use crate::connection::Connection;
use crate::direction::{BUFFER, Bytes};
use crate::http::awake::Awake;
use crate::http::gate::Gate;
use crate::http::line::Line;
use crate::http::pool::Pool;
use crate::listen::Listener;
use crate::manner::Manner;
use crate::pipes;
use crate::talk::Controls;

/// How many connections to backends may wait for a request, however few clients there are.
const WAITING: usize = 48;

/// What all tasks share.
#[derive(Debug)]
pub(crate) struct Balancer {
    /// After how long without a connection it offers to end.
    pub(crate) quiet: Duration,
    /// Where certificates lie.
    pub(crate) sources: Vec<Source>,
    /// The control socket.
    pub(crate) control: Option<UnixListener>,
    /// The control socket could not be made, so only the supervisor that has started it can talk to it.
    pub(crate) is_out_of_reach: bool,
    pub(crate) controls: Controls,
    pub(crate) bytes: Bytes,
    pub(crate) pipes: pipes::Pool,
    /// Connections to backends that wait for a request.
    pub(crate) pool: Pool,
    /// Connections of clients that hyper has.
    pub(crate) awake: Awake,
    /// Where requests come in.
    pub(crate) gate: Gate,
    pub(crate) buffer: Mutex<Box<[u8]>>,
    /// Another list of backends holds.
    pub(crate) changed: Notify,
    /// A connection has ended: there is room for another.
    pub(crate) ended: Notify,
    /// A limit may pass earlier than was known.
    pub(crate) due: Notify,
    /// It is to end.
    pub(crate) leaves: Notify,
    /// It was to end, and nothing is open any more.
    pub(crate) over: Notify,
    /// It is to replace itself.
    pub(crate) upgrade: Notify,
    most: usize,
    state: Mutex<State>,
}

/// What it listens on.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) control: Option<UnixListener>,
}

/// What another program needs beside connections to go on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    table: Table,
    pause: Option<Duration>,
    next_number: u64,
    accepted: u64,
    refused: u64,
    #[serde(default)]
    unsecured: u64,
    received: u64,
    sent: u64,
    leaves_by: Option<Duration>,
    quiet_since: Option<Duration>,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) table: Table,
    /// While it is set, connections wait: for so long at most.
    pub(crate) pause: Option<Duration>,
    pub(crate) connections: BTreeMap<u64, Arc<Connection>>,
    next_number: u64,
    accepted: u64,
    refused: u64,
    unsecured: u64,
    /// Until when the last connections may go on, once no more are accepted.
    pub(crate) leaves_by: Option<Duration>,
    /// Since when there is no connection, until the supervisor has been told.
    pub(crate) quiet_since: Option<Duration>,
    /// When the task that enforces limits wakes by itself.
    pub(crate) wakes_at: Option<Duration>,
    pub(crate) manner: Arc<Manner>,
    listeners: Vec<Arc<Listener>>,
    /// The tasks that accept.
    accepting: Vec<AbortHandle>,
}

impl Balancer {
    /// `most` connections at once at most.
    pub(crate) fn new(args: &Args, manner: Manner, sockets: Sockets, most: usize) -> Self {
        let state = State {
            table: Table::new(manner.drain()),
            pause: None,
            connections: BTreeMap::new(),
            next_number: 1,
            accepted: 0,
            refused: 0,
            unsecured: 0,
            leaves_by: None,
            quiet_since: Some(clock::now()),
            wakes_at: None,
            manner: Arc::new(manner),
            listeners: sockets.listeners,
            accepting: Vec::new(),
        };
        Self {
            quiet: args.quiet(),
            sources: args.sources(),
            is_out_of_reach: args.control.is_some() && sockets.control.is_none(),
            control: sockets.control,
            leaves: Notify::new(),
            over: Notify::new(),
            upgrade: Notify::new(),
            controls: Controls::default(),
            bytes: Bytes::default(),
            pipes: pipes::Pool::new((most / 8).clamp(1, 256)),
            pool: Pool::default(),
            awake: Awake::default(),
            gate: Gate::default(),
            buffer: Mutex::new(vec![0; BUFFER].into()),
            changed: Notify::new(),
            ended: Notify::new(),
            due: Notify::new(),
            most,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How connections are handed on at this moment.
    pub(crate) fn manner(&self) -> Arc<Manner> {
        Arc::clone(&self.state().manner)
    }

    /// What it listens on at this moment.
    pub(crate) fn listeners(&self) -> Vec<Arc<Listener>> {
        self.state().listeners.clone()
    }

    /// Uses these listeners and settings for connections that arrive from now on. They are accepted once
    /// [`crate::accept::begin`] is called.
    pub(crate) fn go_on_as(&self, manner: Manner, listeners: Vec<Arc<Listener>>) {
        {
            let mut state = self.state();
            state.accepting.drain(..).for_each(|task| task.abort());
            state.table.drains_within(manner.drain());
            (state.manner, state.listeners) = (Arc::new(manner), listeners);
        }
        // A backend may be told of clients from now on, each in front of a connection of its own.
        self.pool.end(clock::now(), |_| false);
        self.changed.notify_waiters();
        self.due.notify_one();
    }

    /// Takes in a connection that was accepted: its number.
    pub(crate) fn enter(&self, connection: &Arc<Connection>) -> u64 {
        let number = {
            let mut state = self.state();
            let number = state.next_number;
            state.next_number += 1;
            state.accepted += 1;
            state.quiet_since = None;
            state.connections.insert(number, Arc::clone(connection));
            number
        };
        if let Some(idle) = self.manner().idle() {
            self.is_due(connection.arrived + idle / 8);
        }
        number
    }

    /// Takes in a connection that another program has accepted.
    pub(crate) fn enter_again(&self, number: u64, connection: &Arc<Connection>) {
        self.state().connections.insert(number, Arc::clone(connection));
    }

    /// What another program needs to go on.
    pub(crate) fn carried(&self) -> Carried {
        let state = self.state();
        Carried {
            table: state.table.clone(),
            pause: state.pause,
            next_number: state.next_number,
            accepted: state.accepted,
            refused: state.refused,
            unsecured: state.unsecured,
            received: self.bytes.received.load(Ordering::Relaxed),
            sent: self.bytes.sent.load(Ordering::Relaxed),
            leaves_by: state.leaves_by,
            quiet_since: state.quiet_since,
        }
    }

    /// Goes on from there; `open` are the backends of the connections that go on, one for each.
    pub(crate) fn carry_on(&self, carried: Carried, open: &[Key]) {
        self.bytes.received.store(carried.received, Ordering::Relaxed);
        self.bytes.sent.store(carried.sent, Ordering::Relaxed);
        let drained = {
            let mut state = self.state();
            state.table = carried.table;
            state.pause = carried.pause;
            state.next_number = carried.next_number;
            state.accepted = carried.accepted;
            state.refused = carried.refused;
            state.unsecured = carried.unsecured;
            state.leaves_by = carried.leaves_by;
            state.quiet_since = carried.quiet_since;
            state.table.recount(open)
        };
        for drained in drained {
            self.tell_drained(Some(drained));
        }
    }

    /// Keeps a connection to a backend for the next request, if the backend may get one. Where many wait already, there are at most as
    /// many connections to backends as there are connections of clients: that is how descriptors are reckoned with. One that has
    /// begun with who its client is (the PROXY protocol) belongs to that client alone.
    pub(crate) fn keep(&self, key: Key, line: Line) {
        let most = {
            let state = self.state();
            if state.manner.proxy_out().is_some() || !state.table.is_ready(key) {
                return;
            }
            // This connection is still counted as an open one.
            (state.connections.len() + 1).saturating_sub(state.table.open()).max(WAITING)
        };
        if let Some(due) = self.pool.put(key, line, most) {
            self.is_due(due);
        }
    }

    /// Closes what waits for a backend that is not to be used, or has waited for long: when that is due again.
    pub(crate) fn end_waiting(&self) -> Option<Duration> {
        let due = {
            let state = self.state();
            self.pool.end(clock::now(), |key| state.table.is_ready(key))
        };
        if let Some(due) = due {
            self.is_due(due);
        }
        due
    }

    /// Something is due then: wakes the task that enforces limits unless it wakes by itself before.
    fn is_due(&self, at: Duration) {
        if self.state().wakes_at.is_none_or(|wakes| wakes > at) {
            self.due.notify_one();
        }
    }

    /// A connection is over.
    pub(crate) fn leave(&self, number: u64) {
        let quiet_since = {
            let mut state = self.state();
            state.connections.remove(&number);
            state.quiet_since = state.connections.is_empty().then(clock::now);
            state.quiet_since
        };
        if self.is_over() {
            self.over.notify_one();
        }
        if let Some(quiet) = quiet_since {
            self.is_due(quiet + self.quiet);
        }
        self.ended.notify_waiters();
    }

    /// Whether another connection could be served: each needs two descriptors.
    pub(crate) fn has_room(&self) -> bool {
        self.state().connections.len() < self.most
    }

    /// No backend took a connection.
    pub(crate) fn refuse(&self) {
        self.state().refused += 1;
    }

    /// A client did not get as far as TLS.
    pub(crate) fn is_unsecured(&self) {
        self.state().unsecured += 1;
    }

    /// Puts another list of backends in place. Returns those that are drained already.
    pub(crate) fn set(&self, set: &Set) -> Result<Vec<Drained>, InvalidSet> {
        let told = {
            let mut state = self.state();
            let told = state.table.set(set, clock::now())?;
            state.pause = set.pause_seconds.map(|seconds| Duration::from_secs(seconds.into()));
            told
        };
        self.end_waiting();
        self.changed.notify_waiters();
        self.due.notify_one();
        Ok(told)
    }

    pub(crate) fn tell_drained(&self, drained: Option<Drained>) {
        if let Some(drained) = drained {
            self.controls.tell(&Report::Drained(drained));
        }
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let state = self.state();
        Numbers {
            accepted: state.accepted,
            open: state.connections.len() as u64,
            refused: state.refused,
            unsecured: state.unsecured,
            bytes_in: self.bytes.received.load(Ordering::Relaxed),
            bytes_out: self.bytes.sent.load(Ordering::Relaxed),
            latency: state.table.latency().clone(),
            backends: state.table.numbers(),
        }
    }

    /// These tasks accept connections.
    pub(crate) fn accepts_by(&self, tasks: Vec<AbortHandle>) {
        self.state().accepting = tasks;
    }

    /// Accepts no more. What is open may go on until the drain limit.
    pub(crate) fn begin_to_leave(&self) {
        {
            let mut state = self.state();
            if state.leaves_by.is_none() {
                state.leaves_by = Some(clock::now() + state.table.drain_limit());
            }
            state.accepting.drain(..).for_each(|task| task.abort());
        }
        self.leaves.notify_waiters();
        self.due.notify_one();
        if self.is_over() {
            self.over.notify_one();
        }
    }

    /// Whether it is to end and nothing holds it.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state();
        state.leaves_by.is_some() && state.connections.is_empty()
    }
}
