//! The table of backends.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backend::{Backend, Ending, Key};
use crate::faults::Fault;
use crate::health::Event;
use crate::latency::Latency;
use crate::share::{self, Candidate};
use crate::wire::{BackendNumbers, Drained, Set, Share};

/// The heaviest weight of a backend.
const HEAVIEST: u32 = 1_000_000;

/// Why a list of backends is refused. Then nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSet {
    /// Two backends of the list have the same id.
    #[error("the backend {0} stands in the list twice")]
    Twice(String),
    /// A weight is too large.
    #[error("the backend {id} has the weight {weight}: at most 1000000 is allowed")]
    Weight {
        /// The backend.
        id: String,
        /// Its weight.
        weight: u32,
    },
}

/// Where a new connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The backend, to report what happens to the connection.
    pub key: Key,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The backends of one address. Times are durations since an origin that the user chooses; the boot of the machine is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    backends: Vec<Backend>,
    next_key: u64,
    drain_limit: Duration,
    #[serde(default)]
    share: Share,
    #[serde(default)]
    latency: Latency,
}

impl Table {
    /// Without backends. A backend that is being drained keeps its connections for `drain_limit`, unless a list says otherwise.
    pub fn new(drain_limit: Duration) -> Self {
        let (share, latency) = Default::default();
        Self { backends: Vec::new(), next_key: 1, drain_limit, share, latency }
    }

    /// Puts another list in place of the present one, as a whole. Returns which backends have no connection left to wait for.
    /// A backend with the id of a present one and another address is another backend.
    ///
    /// # Errors
    /// The list contradicts itself; the table is as it was.
    pub fn set(&mut self, set: &Set, now: Duration) -> Result<Vec<Drained>, InvalidSet> {
        check(set)?;
        self.drain_limit = set.drain_seconds.map_or(self.drain_limit, |it| Duration::from_secs(it.into()));
        if self.share != set.share {
            // Who was passed over by load is not owed a turn by count, nor the other way round.
            self.backends.iter_mut().for_each(|backend| backend.credit = 0);
            self.share = set.share;
        }
        let cut_at = now.saturating_add(self.drain_limit);
        for wanted in &set.backends {
            if !self.backends.iter().any(|backend| backend.is(wanted)) {
                self.backends.push(Backend::new(Key(self.next_key), wanted));
                self.next_key += 1;
            }
        }
        for backend in &mut self.backends {
            let wanted = set.backends.iter().find(|wanted| backend.is(wanted));
            backend.order(wanted, cut_at);
        }
        let told = self.backends.iter_mut().filter_map(Backend::tell_drained).collect();
        self.backends.retain(|backend| !backend.is_gone());
        Ok(told)
    }

    /// Chooses a backend for a new connection, and counts the connection as one of its open ones. `tried` are those that the
    /// connection has tried already. Backends that refused lately are chosen only where no other is left.
    pub fn choose(&mut self, tried: &[Key], now: Duration) -> Option<Choice> {
        let candidates = self.candidates(tried, |backend| backend.health.is_usable(now));
        let candidates = if candidates.is_empty() { self.candidates(tried, |_| true) } else { candidates };
        let chosen = share::choose(self.share, &candidates)?;
        for (candidate, credit) in candidates.iter().zip(share::credits(&candidates, chosen)) {
            self.backends[candidate.place].credit = credit;
        }
        let backend = &mut self.backends[candidates[chosen].place];
        backend.health = backend.health.after(Event::Chosen, now);
        backend.open += 1;
        Some(Choice { key: backend.key, address: backend.address })
    }

    /// Chooses the backend of this id, if it is ready and has not refused lately. For clients that come back to where they were.
    pub fn choose_by_id(&mut self, id: &str, now: Duration) -> Option<Choice> {
        let is_fit = |it: &&mut Backend| {
            it.id == id && it.standing.is_ready() && it.weight > 0 && it.health.is_usable(now)
        };
        let backend = self.backends.iter_mut().find(is_fit)?;
        backend.health = backend.health.after(Event::Chosen, now);
        backend.open += 1;
        Some(Choice { key: backend.key, address: backend.address })
    }

    /// The id of a backend.
    pub fn id(&self, key: Key) -> Option<&str> {
        self.backends.iter().find(|backend| backend.key == key).map(|backend| backend.id.as_str())
    }

    /// Whether a backend gets new connections.
    pub fn is_ready(&self, key: Key) -> bool {
        self.backends.iter().any(|backend| backend.key == key && backend.standing.is_ready())
    }

    /// How many connections all backends have, those that are being opened included.
    pub fn open(&self) -> usize {
        let open = self.backends.iter().map(|backend| backend.open).sum::<u64>();
        usize::try_from(open).unwrap_or(usize::MAX)
    }

    /// Whether some backend gets new connections.
    pub fn has_ready(&self) -> bool {
        self.backends.iter().any(|backend| backend.standing.is_ready() && backend.weight > 0)
    }

    /// The chosen backend has accepted the connection, after so long.
    pub fn connected(&mut self, key: Key, took: Duration) {
        if let Some(backend) = self.backend(key) {
            backend.health = backend.health.after(Event::Connected, Duration::ZERO);
            backend.connected(took);
        }
    }

    /// The chosen backend has taken a request through a connection that was there.
    pub fn reused(&mut self, key: Key) {
        if let Some(backend) = self.backend(key) {
            backend.reused();
        }
    }

    /// Counts how long a client has waited until a backend had its connection or, in HTTP, answered its request.
    pub fn waited(&mut self, took: Duration) {
        self.latency.add(took);
    }

    /// How long clients have waited.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The backend has failed a client to whom it was connected.
    pub fn broke(&mut self, key: Key, fault: Fault) {
        if let Some(backend) = self.backend(key) {
            backend.faults.add(fault);
        }
    }

    /// The chosen backend has refused the connection, or has not accepted it in time. The connection no longer belongs
    /// to it.
    pub fn failed(&mut self, key: Key, now: Duration) -> Option<Drained> {
        let backend = self.backend(key)?;
        backend.health = backend.health.after(Event::Failed, now);
        backend.failed();
        self.drained(key)
    }

    /// A connection of this backend has ended, or was given up before the backend had answered.
    pub fn ended(&mut self, key: Key, ending: Ending) -> Option<Drained> {
        self.backend(key)?.ended(ending);
        self.drained(key)
    }

    /// The backends whose drain limit has passed while they had connections. Each is returned once.
    pub fn overdue(&mut self, now: Duration) -> Vec<Key> {
        let is_due = |backend: &&mut Backend| backend.cut_at.is_some_and(|at| at <= now);
        self.backends
            .iter_mut()
            .filter(is_due)
            .map(|backend| (backend.cut_at = None, backend.key).1)
            .collect()
    }

    /// When [`Table::overdue`] has something to say next.
    pub fn due(&self) -> Option<Duration> {
        self.backends.iter().filter_map(|backend| backend.cut_at).min()
    }

    /// From now on, a backend that is being drained keeps its connections for this long, unless a list says otherwise.
    pub fn drains_within(&mut self, drain_limit: Duration) {
        self.drain_limit = drain_limit;
    }

    /// How long a backend that is being drained keeps its connections.
    pub fn drain_limit(&self) -> Duration {
        self.drain_limit
    }

    /// What was counted of each backend.
    pub fn numbers(&self) -> Vec<BackendNumbers> {
        self.backends.iter().map(Backend::numbers).collect()
    }

    /// Forgets which drained backends of the list were reported, so that the next list reports them again: the earlier receiver
    /// may be gone.
    pub fn tell_again(&mut self) {
        self.backends.iter_mut().for_each(Backend::tell_again);
    }

    /// Sets the counts of open connections: `open` has the backend of each. For a table that another program takes over, because
    /// connections that were being opened are lost. Returns the backends that are drained now.
    pub fn recount(&mut self, open: &[Key]) -> Vec<Drained> {
        for backend in &mut self.backends {
            backend.open = open.iter().filter(|key| **key == backend.key).count() as u64;
        }
        let told = self.backends.iter_mut().filter_map(Backend::tell_drained).collect();
        self.backends.retain(|backend| !backend.is_gone());
        told
    }

    fn candidates(&self, tried: &[Key], is_fit: impl Fn(&Backend) -> bool) -> Vec<Candidate> {
        let places = self.backends.iter().enumerate();
        let fit = places.filter(|(_, backend)| {
            backend.standing.is_ready()
                && backend.weight > 0
                && !tried.contains(&backend.key)
                && is_fit(backend)
        });
        let candidate = |(place, backend): (usize, &Backend)| Candidate {
            place,
            weight: backend.weight,
            open: backend.open,
            credit: backend.credit,
        };
        fit.map(candidate).collect()
    }

    fn backend(&mut self, key: Key) -> Option<&mut Backend> {
        self.backends.iter_mut().find(|backend| backend.key == key)
    }

    fn drained(&mut self, key: Key) -> Option<Drained> {
        let told = self.backend(key)?.tell_drained();
        self.backends.retain(|backend| !backend.is_gone());
        told
    }
}

fn check(set: &Set) -> Result<(), InvalidSet> {
    let mut ids = BTreeSet::new();
    for wanted in &set.backends {
        if !ids.insert(&wanted.id) {
            return Err(InvalidSet::Twice(wanted.id.clone()));
        }
        if wanted.weight > HEAVIEST {
            return Err(InvalidSet::Weight { id: wanted.id.clone(), weight: wanted.weight });
        }
    }
    Ok(())
}
