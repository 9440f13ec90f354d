//! Connections of clients request by request. Both sides keep their connections; each request finds its backend for itself.
//! hyper reads and writes what is HTTP.

mod answer;
mod body;
mod counted;
mod forward;
mod headers;
mod lent;
pub(crate) mod pool;
pub(crate) mod sent;
mod tunnel;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::arrival;
use crate::balancer::Balancer;
use crate::claim::Presence;
use crate::connection::Connection;
use crate::http::counted::Counted;
use crate::http::forward::Client;

/// How long a client may take for the head of a request, and how long its connection is kept without one.
const HEAD: Duration = Duration::from_secs(60);
/// The most bytes of a head.
const LONGEST_HEAD: usize = 64 * 1024;

/// Serves the requests of one connection, until it ends.
pub(crate) async fn serve(balancer: Arc<Balancer>, connection: Arc<Connection>, presence: Presence) {
    // Dropped when the connection is over, or its task is cut.
    let _presence = presence;
    let Ok(origin) = arrival::origin(&connection, &balancer.proxies).await else {
        balancer.refuse();
        connection.reset();
        return;
    };
    let Some((socket, rest)) = connection.take_socket(origin.length) else { return };
    let client = Arc::new(Client::new(&balancer, &connection, &origin, &socket));
    let io = Counted::new(socket, rest, Arc::clone(&connection), Arc::clone(&balancer));
    let answering = Arc::clone(&client);
    let service = service_fn(move |request| {
        let client = Arc::clone(&answering);
        async move { Ok::<_, Infallible>(forward::answer(client, request).await) }
    });
    let leaves = balancer.leaves.notified();
    let is_leaving = balancer.state().leaves_by.is_some();
    let mut served = pin!(
        Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades()
    );
    if is_leaving {
        served.as_mut().graceful_shutdown();
    }
    let mut leaves = pin!(leaves);
    let mut is_told = is_leaving;
    // How a connection ended is the client's business: it has seen it.
    let _ = poll_fn(|cx| {
        if !is_told && leaves.as_mut().poll(cx).is_ready() {
            is_told = true;
            served.as_mut().graceful_shutdown();
        }
        served.as_mut().poll(cx)
    })
    .await;
    if let Some(tunnel) = client.take_tunnel() {
        tunnel.pass().await;
    }
}
