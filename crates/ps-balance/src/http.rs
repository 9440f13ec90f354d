//! Serves connections of clients request by request. Connections are kept open on both sides, and each request finds
//! its own backend. hyper reads and writes HTTP.

mod answer;
mod at_once;
pub(crate) mod awake;
mod bell;
mod body;
mod forward;
pub(crate) mod gate;
mod head_timer;
mod headers;
mod joined;
mod lent;
mod life;
pub(crate) mod line;
mod one_by_one;
pub(crate) mod pool;
mod redirect;
mod sent;
mod sticky;
mod target;
mod tunnel;
pub(crate) mod watched;

use std::sync::Arc;

use crate::balancer::Balancer;
use crate::claim::Presence;
use crate::connection::Connection;
use crate::counted::Counted;
use crate::http::forward::Client;
use crate::tls::Tls;
use crate::{arrival, handshake};

/// The name of HTTP/2 by which client and server settle on it.
const HTTP2: &[u8] = b"h2";

/// Serves the requests of one connection, until it ends.
pub(crate) async fn serve(
    balancer: Arc<Balancer>,
    connection: Arc<Connection>,
    presence: Presence,
    tls: Option<Arc<Tls>>,
) {
    // Dropped when the connection is over, or its task is cut.
    let _presence = presence;
    let Some((origin, io)) = arrival::take(&balancer, &connection).await else { return };
    let client = Arc::new(Client::new(&balancer, connection.peer, &origin, tls.is_some()));
    match tls {
        None => one_by_one::serve(&balancer, &connection, client, (io, false)).await,
        // Apart, so that connections without TLS have no room for it.
        Some(tls) => Box::pin(serve_tls(balancer, connection, client, (io, tls))).await,
    }
}

async fn serve_tls(
    balancer: Arc<Balancer>,
    connection: Arc<Connection>,
    client: Arc<Client>,
    (io, tls): (Counted, Arc<Tls>),
) {
    let Some(io) = handshake::agree(&balancer, &tls, io).await else { return };
    if io.get_ref().1.alpn_protocol() == Some(HTTP2) {
        Box::pin(at_once::serve(&balancer, &connection, client, io)).await;
    } else {
        one_by_one::serve(&balancer, &connection, client, (io, true)).await;
    }
}
