//! One backend of the table: its address, its wanted state, and its counts.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::faults::Faults;
use crate::health::Health;
use crate::latency::Latency;
use crate::standing::{Order, Standing, Step};
use crate::wire::{BackendNumbers, Drained, State, Wanted};

/// Identifies one backend in a table. A number is never used again in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(pub(crate) u64);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client or the backend ended it.
    Closed,
    /// It was still open when the drain limit passed.
    Cut,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Backend {
    pub(crate) key: Key,
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    pub(crate) weight: u32,
    pub(crate) release: Option<u64>,
    pub(crate) standing: Standing,
    pub(crate) health: Health,
    pub(crate) credit: i64,
    /// Connections that are open or being opened.
    pub(crate) open: u64,
    connections: u64,
    failed: u64,
    cut: u64,
    #[serde(default, flatten)]
    pub(crate) faults: Faults,
    /// How many connections it had when it was withdrawn.
    #[serde(default)]
    at_drain: u64,
    connects: Latency,
    /// When its drain limit passes, while it is being drained and has connections.
    pub(crate) cut_at: Option<Duration>,
    is_told: bool,
}

impl Backend {
    pub(crate) fn new(key: Key, wanted: &Wanted) -> Self {
        Self {
            key,
            id: wanted.id.clone(),
            address: wanted.address,
            weight: wanted.weight,
            release: wanted.release,
            standing: Standing::Ready,
            health: Health::Good,
            credit: 0,
            open: 0,
            connections: 0,
            failed: 0,
            cut: 0,
            faults: Faults::default(),
            at_drain: 0,
            connects: Latency::default(),
            cut_at: None,
            is_told: false,
        }
    }

    pub(crate) fn is(&self, wanted: &Wanted) -> bool {
        self.id == wanted.id && self.address == wanted.address
    }

    /// Carries out what the new list says; `wanted` is its entry there, if it has one.
    pub(crate) fn order(&mut self, wanted: Option<&Wanted>, cut_at: Duration) {
        if let Some(wanted) = wanted {
            self.weight = wanted.weight;
            self.release = wanted.release;
        }
        let order = match wanted.map(|wanted| wanted.state) {
            Some(State::Ready) => Order::Ready,
            Some(State::Drain) => Order::Drain,
            None => Order::Absent,
        };
        let (standing, step) = self.standing.after(order);
        self.standing = standing;
        match step {
            Step::Nothing => {}
            Step::Begin => (self.cut_at, self.at_drain) = (Some(cut_at), self.open),
            Step::Resume => {
                self.cut_at = None;
                self.is_told = false;
            }
        }
    }

    /// What is to be told once: that it is being drained and its last connection has ended.
    pub(crate) fn tell_drained(&mut self) -> Option<Drained> {
        if self.standing.is_ready() || self.open > 0 || self.is_told {
            return None;
        }
        self.is_told = true;
        self.cut_at = None;
        Some(Drained {
            id: self.id.clone(),
            connections: self.connections,
            drained: self.at_drain.saturating_sub(self.cut),
            cut: self.cut,
            release: self.release,
            faults: self.faults,
        })
    }

    pub(crate) fn tell_again(&mut self) {
        self.is_told = false;
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.standing == Standing::Forgotten && self.is_told
    }

    pub(crate) fn connected(&mut self, took: Duration) {
        self.connections += 1;
        self.connects.add(took);
    }

    pub(crate) fn reused(&mut self) {
        self.connections += 1;
    }

    pub(crate) fn failed(&mut self) {
        self.failed += 1;
        self.open -= 1;
    }

    pub(crate) fn ended(&mut self, ending: Ending) {
        self.open -= 1;
        match ending {
            Ending::Closed => {}
            Ending::Cut => self.cut += 1,
        }
    }

    pub(crate) fn numbers(&self) -> BackendNumbers {
        BackendNumbers {
            id: self.id.clone(),
            release: self.release,
            draining: !self.standing.is_ready(),
            connections: self.connections,
            open: self.open,
            failed: self.failed,
            cut: self.cut,
            faults: self.faults,
            connect_p50_us: self.connects.percentile(50),
            connect_p99_us: self.connects.percentile(99),
        }
    }
}
