//! Serves a connection byte for byte: finds its backend, and passes bytes on.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use balance::Fault;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::arrival;
use crate::balancer::Balancer;
use crate::claim::{Claim, Presence};
use crate::connection::Connection;
use crate::direction::Shared;
use crate::search::{Attempt, Search, attempt};

/// Serves a connection to its end.
pub(crate) async fn serve(balancer: Arc<Balancer>, connection: Arc<Connection>, presence: Presence) {
    let manner = balancer.manner();
    let Ok(origin) = arrival::origin(&connection, &manner).await else {
        balancer.refuse();
        connection.reset();
        return;
    };
    let found = find(&balancer, &connection, connection.arrived).await;
    let greeting = origin.greeting(&connection, manner.proxy_out());
    let (Some((claim, backend)), Ok(greeting)) = (found, greeting) else {
        balancer.refuse();
        connection.reset();
        return;
    };
    connection.hand_over(claim.key, backend, greeting);
    relay(balancer, connection, presence, claim).await;
}

/// Serves a connection that a backend has, to its end.
pub(crate) async fn relay(
    balancer: Arc<Balancer>,
    connection: Arc<Connection>,
    presence: Presence,
    claim: Claim,
) {
    // Dropped when the connection is over, or its task is cut: in this order, so that its backend is drained before it is gone.
    let held = (claim, presence);
    // The relay has closed both sides in the way it ended. Its result is not needed here.
    let _ = poll_fn(|cx| {
        let mut buffer = balancer.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shared = Shared { buffer: &mut buffer, pipes: &balancer.pipes };
        connection.poll(&mut shared, &balancer.bytes, || held.0.broke(Fault::Broken), cx)
    })
    .await;
}

/// Connects to a backend for a connection. `None` if no backend accepted it in the time for which it may be held, from
/// `since` on.
pub(crate) async fn find(
    balancer: &Arc<Balancer>,
    connection: &Connection,
    since: Duration,
) -> Option<(Claim, TcpStream)> {
    let (mut search, sought) = (Search::new(balancer, &connection.work, since), Instant::now());
    while let Some((claim, address)) = search.next().await {
        let began = Instant::now();
        match attempt(address).await {
            Attempt::Connected(backend) => {
                claim.connected(began.elapsed());
                claim.waited(sought.elapsed());
                return Some((claim, backend));
            }
            Attempt::Failed => search.failed(claim),
            Attempt::NoRoom => search.wait_for_room(claim).await,
        }
    }
    None
}
