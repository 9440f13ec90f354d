//! HTTP/1.1: the requests of a connection come one after another.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::balancer::Balancer;
use crate::connection::Connection;
use crate::http::forward::{self, Client};
use crate::http::head_timer::HeadTimer;
use crate::http::joined::Joined;
use crate::http::life::{HEAD, LONGEST_HEAD, live};

/// Serves them until the connection ends.
pub(crate) async fn serve(
    balancer: &Balancer,
    connection: &Connection,
    client: Arc<Client>,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    // Open until a tunnel has ended as well.
    let exchange = connection.begin_exchange(Arc::clone(&connection.work));
    let (asker, open) = (Arc::clone(&client), Arc::clone(&exchange));
    let service = service_fn(move |request| {
        let (client, exchange) = (Arc::clone(&asker), Arc::clone(&open));
        async move { Ok::<_, Infallible>(forward::answer(client, exchange, request).await) }
    });
    let served = Builder::new()
        .timer(HeadTimer::new(HEAD))
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Joined::new(io)), service)
        .with_upgrades();
    live(balancer, served, UpgradeableConnection::graceful_shutdown, pending()).await;
    if let Some(tunnel) = client.take_tunnel() {
        tunnel.pass().await;
    }
}
