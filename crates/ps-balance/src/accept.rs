//! Accepts connections. If no descriptor is left, it waits until one is free, and the clients wait in the kernel's
//! queue.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use balance::wire::Mode;
use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::balancer::Balancer;
use crate::claim::Presence;
use crate::connection::Connection;
use crate::listen::Listener;
use crate::{dial, http, terminate};

/// The pause before the next attempt when no descriptor is left. It is needed because a descriptor may also be freed by
/// something other than a connection.
const AGAIN: Duration = Duration::from_millis(100);

/// Begins to accept what it listens on.
pub(crate) fn begin(balancer: &Arc<Balancer>) {
    let accept = |listener| tokio::spawn(accept(Arc::clone(balancer), listener)).abort_handle();
    balancer.accepts_by(balancer.listeners().into_iter().map(accept).collect());
}

/// Accepts for ever. Its task is aborted when the program is to end.
async fn accept(balancer: Arc<Balancer>, listener: Arc<Listener>) {
    loop {
        let ended = balancer.ended.notified();
        if !balancer.has_room() {
            ended.await;
            continue;
        }
        match listener.socket.accept().await {
            Ok((client, peer)) => admit(&balancer, &listener, client, peer),
            Err(error) if is_of_the_connection(&error) => {}
            Err(_) => {
                // Either of the two is a reason to try again.
                let _ = timeout(AGAIN, ended).await;
            }
        }
    }
}

/// Begins to serve a connection.
fn admit(balancer: &Arc<Balancer>, listener: &Listener, client: TcpStream, peer: SocketAddr) {
    let connection = Arc::new(Connection::new(client, peer));
    let presence = Presence::new(balancer, balancer.enter(&connection));
    let (shared, served) = (Arc::clone(balancer), Arc::clone(&connection));
    let task = match (balancer.manner().mode(), listener.tls.clone()) {
        (Mode::Tcp, None) => tokio::spawn(dial::serve(shared, served, presence)),
        (Mode::Tcp, Some(tls)) => tokio::spawn(terminate::serve(shared, served, presence, tls)),
        (Mode::Http, tls) => tokio::spawn(http::serve(shared, served, presence, tls)),
    };
    connection.work.is_done_by(task.abort_handle());
}

/// Whether the connection that was to be accepted is gone or broken (accept(2)): the next one may be well.
fn is_of_the_connection(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(
            Errno::CONNABORTED
                | Errno::INTR
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
        )
    )
}
