//! A connection's place in two counts: that of its backend, and that of client connections. Each is released when its
//! holder is dropped, however the connection ends.

use std::sync::Arc;
use std::time::Duration;

use balance::{Choice, Ending, Fault, Key};

use crate::balancer::Balancer;
use crate::clock;
use crate::work::Work;

/// One of the open connections of a backend, or one of its open requests.
#[derive(Debug)]
pub(crate) struct Claim {
    balancer: Arc<Balancer>,
    work: Arc<Work>,
    pub(crate) key: Key,
    is_settled: bool,
}

impl Claim {
    pub(crate) fn new(balancer: &Arc<Balancer>, work: &Arc<Work>, choice: Choice) -> Self {
        Self::of(balancer, work, choice.key)
    }

    /// That of a connection that is counted already.
    pub(crate) fn of(balancer: &Arc<Balancer>, work: &Arc<Work>, key: Key) -> Self {
        Self { balancer: Arc::clone(balancer), work: Arc::clone(work), key, is_settled: false }
    }

    /// The backend has answered, after so long.
    pub(crate) fn connected(&self, took: Duration) {
        self.balancer.state().table.connected(self.key, took);
    }

    /// The backend has answered through a connection that was there.
    pub(crate) fn reused(&self) {
        self.balancer.state().table.reused(self.key);
    }

    /// Its client has waited so long for that.
    pub(crate) fn waited(&self, took: Duration) {
        self.balancer.state().table.waited(took);
    }

    /// The backend has broken it off, or answered that it failed.
    pub(crate) fn broke(&self, fault: Fault) {
        self.balancer.state().table.broke(self.key, fault);
    }

    /// The backend has refused, or has not answered.
    pub(crate) fn failed(mut self) {
        self.is_settled = true;
        let drained = self.balancer.state().table.failed(self.key, clock::now());
        self.balancer.tell_drained(drained);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_settled {
            let ending = if self.work.is_cut() { Ending::Cut } else { Ending::Closed };
            let drained = self.balancer.state().table.ended(self.key, ending);
            self.balancer.tell_drained(drained);
        }
    }
}

/// One of the connections of clients.
#[derive(Debug)]
pub(crate) struct Presence {
    balancer: Arc<Balancer>,
    number: u64,
}

impl Presence {
    pub(crate) fn new(balancer: &Arc<Balancer>, number: u64) -> Self {
        Self { balancer: Arc::clone(balancer), number }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.balancer.leave(self.number);
    }
}
