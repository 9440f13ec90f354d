//! A connection finds its backend: one that refuses or does not answer is passed over, and while none is ready the connection
//! waits.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use balance::Key;
use rustix::io::Errno;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::arrival;
use crate::balancer::Balancer;
use crate::claim::{Claim, Presence};
use crate::clock;
use crate::connection::Connection;
use crate::direction::Shared;

/// How long a backend may take to answer a connect.
const ANSWER: Duration = Duration::from_millis(250);
/// How long a connection waits before it tries all backends again, or before it looks for a descriptor again.
const AGAIN: Duration = Duration::from_millis(100);

/// Serves a connection to its end.
pub(crate) async fn serve(balancer: Arc<Balancer>, connection: Arc<Connection>, presence: Presence) {
    let proxies = &balancer.proxies;
    let Ok(origin) = arrival::origin(&connection, proxies).await else {
        balancer.refuse();
        connection.reset();
        return;
    };
    let found = find(&balancer, &connection).await;
    let greeting = origin.greeting(&connection, proxies.out);
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
    let _held = (claim, presence);
    // How it ended has been said to both sides; nobody else asks.
    let _ = poll_fn(|cx| {
        let mut buffer = balancer.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shared = Shared { buffer: &mut buffer, pipes: &balancer.pipes };
        connection.poll(&mut shared, &balancer.bytes, cx)
    })
    .await;
}

/// What an attempt to connect has come to.
enum Attempt {
    Connected(TcpStream),
    Failed,
    /// This machine or this process has no descriptor or port left. The backend has nothing to do with it.
    NoRoom,
}

/// What is to be done for a connection without a backend.
enum Next {
    Try(Claim, SocketAddr),
    /// Wait until then, or until the list of backends changes.
    Wait(Duration),
    GiveUp,
}

/// The backend for a connection, connected. None: nobody took it for as long as it was held.
async fn find(balancer: &Arc<Balancer>, connection: &Arc<Connection>) -> Option<(Claim, TcpStream)> {
    let mut tried: Vec<Key> = Vec::new();
    loop {
        let changed = balancer.changed.notified();
        match next(balancer, connection, &mut tried) {
            Next::GiveUp => return None,
            Next::Wait(until) => {
                // Either of the two is a reason to look again.
                let _ = timeout_at(clock::instant(until), changed).await;
            }
            Next::Try(claim, address) => {
                let began = Instant::now();
                match attempt(address).await {
                    Attempt::Connected(backend) => {
                        claim.connected(began.elapsed());
                        return Some((claim, backend));
                    }
                    Attempt::Failed => {
                        tried.push(claim.key);
                        claim.failed();
                    }
                    Attempt::NoRoom => {
                        drop(claim);
                        let _ = timeout(AGAIN, balancer.ended.notified()).await;
                    }
                }
            }
        }
    }
}

fn next(balancer: &Arc<Balancer>, connection: &Arc<Connection>, tried: &mut Vec<Key>) -> Next {
    let now = clock::now();
    let mut state = balancer.state();
    let hold = state.pause.map_or(balancer.limits.hold, |pause| pause.max(balancer.limits.hold));
    let until = connection.arrived + hold;
    let choice = if state.pause.is_none() { state.table.choose(tried, now) } else { None };
    if let Some(choice) = choice {
        return Next::Try(Claim::new(balancer, connection, choice), choice.address);
    }
    if now >= until {
        return Next::GiveUp;
    }
    if tried.is_empty() {
        return Next::Wait(until);
    }
    // All of them have failed. They are tried again as long as the connection is held.
    tried.clear();
    Next::Wait(until.min(now + AGAIN))
}

async fn attempt(address: SocketAddr) -> Attempt {
    match timeout(ANSWER, connect(address)).await {
        Ok(Ok(backend)) => Attempt::Connected(backend),
        Ok(Err(error)) if is_ours(&error) => Attempt::NoRoom,
        Ok(Err(_)) | Err(_) => Attempt::Failed,
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // What one side has sent is passed on at once: it has waited at its sender already, if that was wanted.
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// Whether something is missing on this side.
fn is_ours(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::ADDRNOTAVAIL))
}
