//! Ends whatever has reached its time limit: connections of a backend that is being drained, silent connections, the
//! program itself. One task does this for all of them, and has no timer while there is nothing to wait for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use balance::wire::Report;
use tokio::time::timeout_at;

use crate::balancer::Balancer;
use crate::clock;
use crate::connection::Connection;

/// Enforces the limits for ever.
pub(crate) async fn enforce(balancer: Arc<Balancer>) {
    let mut silence = Silence::default();
    loop {
        let due = balancer.due.notified();
        let now = clock::now();
        cut_overdue(&balancer, now);
        let next = [
            leave(&balancer, now),
            tell_quiet(&balancer, now),
            silence.end(&balancer, now),
            balancer.end_waiting(),
        ];
        let next = next.into_iter().flatten().chain(balancer.state().table.due()).min();
        balancer.state().wakes_at = next;
        match next {
            // Either of the two is a reason to look again.
            Some(at) => drop(timeout_at(clock::instant(at), due).await),
            None => due.await,
        }
    }
}

/// Cuts the connections of backends whose drain limit has passed.
fn cut_overdue(balancer: &Balancer, now: Duration) {
    let (keys, connections): (_, Vec<Arc<Connection>>) = {
        let mut state = balancer.state();
        let keys = state.table.overdue(now);
        if keys.is_empty() {
            return;
        }
        (keys, state.connections.values().cloned().collect())
    };
    for connection in connections {
        connection.cut_at(&keys);
    }
}

/// Cuts everything when the program is to end and the drain limit has passed.
fn leave(balancer: &Balancer, now: Duration) -> Option<Duration> {
    let left: Vec<Arc<Connection>> = {
        let state = balancer.state();
        let by = state.leaves_by?;
        if by > now {
            return Some(by);
        }
        state.connections.values().cloned().collect()
    };
    for connection in left {
        connection.cut();
    }
    None
}

/// Tells the supervisor when there was no connection for a while: once, until there is one again.
fn tell_quiet(balancer: &Balancer, now: Duration) -> Option<Duration> {
    let quiet = balancer.quiet;
    {
        let mut state = balancer.state();
        let at = state.quiet_since? + quiet;
        if at > now {
            return Some(at);
        }
        state.quiet_since = None;
    }
    balancer.controls.tell(&Report::Idle { seconds: quiet.as_secs() });
    None
}

/// Since when which connection is silent. A connection is ended between once and one and an eighth times the limit after its last
/// byte: looking more often would cost more than it is worth.
#[derive(Debug, Default)]
struct Silence {
    seen: BTreeMap<u64, (u64, Duration)>,
    next: Option<Duration>,
}

impl Silence {
    fn end(&mut self, balancer: &Balancer, now: Duration) -> Option<Duration> {
        let limit = balancer.manner().idle()?;
        if let Some(next) = self.next.filter(|next| *next > now) {
            return Some(next);
        }
        let connections = balancer.state().connections.clone();
        self.seen.retain(|number, _| connections.contains_key(number));
        for (number, connection) in &connections {
            let moved = connection.moved();
            let (before, since) = self.seen.entry(*number).or_insert((moved, now));
            if *before != moved {
                (*before, *since) = (moved, now);
            } else if now.saturating_sub(*since) >= limit {
                connection.cut();
            }
        }
        self.next = (!connections.is_empty()).then(|| now + (limit / 8).max(Duration::from_millis(100)));
        self.next
    }
}
