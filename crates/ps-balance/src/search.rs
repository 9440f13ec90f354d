//! Finds the backend for a connection or a request: one that refuses or does not answer is skipped, and while none is
//! ready the connection waits.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use balance::Key;
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_nodelay;
use rustix::net::{AddressFamily, SocketFlags, SocketType, getpeername, socket_with};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use crate::balancer::Balancer;
use crate::claim::Claim;
use crate::clock;
use crate::work::Work;

/// How long a backend may take to answer a connect.
const ANSWER: Duration = Duration::from_millis(250);
/// How long it waits before it tries all backends again, or before it looks for a descriptor again.
const AGAIN: Duration = Duration::from_millis(100);

/// What looks for a backend.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    balancer: &'a Arc<Balancer>,
    work: &'a Arc<Work>,
    since: Duration,
    /// The id of a backend that is taken if it is ready.
    wanted: Option<&'a str>,
    tried: Vec<Key>,
}

/// What an attempt to connect has come to.
pub(crate) enum Attempt {
    Connected(TcpStream),
    Failed,
    /// This machine or this process has no descriptor or port left. The backend has nothing to do with it.
    NoRoom,
}

/// What is to be done without a backend.
enum Next {
    Try(Claim, SocketAddr),
    /// Wait until then, or until the list of backends changes.
    Wait(Duration),
    GiveUp,
}

impl<'a> Search<'a> {
    /// It may last as long as connections are held, from `since` on.
    pub(crate) fn new(balancer: &'a Arc<Balancer>, work: &'a Arc<Work>, since: Duration) -> Self {
        Self { balancer, work, since, wanted: None, tried: Vec::new() }
    }

    /// The same, with a backend that is taken first if it is ready.
    pub(crate) fn wanting(self, wanted: Option<&'a str>) -> Self {
        Self { wanted, ..self }
    }

    /// The next backend to try. `None` if no backend accepted the connection in the time for which it may be held.
    pub(crate) async fn next(&mut self) -> Option<(Claim, SocketAddr)> {
        loop {
            let changed = self.balancer.changed.notified();
            match self.decide() {
                Next::GiveUp => return None,
                // Either of the two is a reason to look again.
                Next::Wait(until) => drop(timeout_at(clock::instant(until), changed).await),
                Next::Try(claim, address) => return Some((claim, address)),
            }
        }
    }

    /// The backend has refused, or has not answered: another one is next.
    pub(crate) fn failed(&mut self, claim: Claim) {
        self.tried.push(claim.key);
        claim.failed();
    }

    /// Something is missing on this side: the same backend may be next, once a connection has ended.
    pub(crate) async fn wait_for_room(&self, claim: Claim) {
        drop(claim);
        let _ = timeout(AGAIN, self.balancer.ended.notified()).await;
    }

    fn decide(&mut self) -> Next {
        let now = clock::now();
        let mut state = self.balancer.state();
        let hold = state.manner.hold();
        let until = self.since + state.pause.map_or(hold, |pause| pause.max(hold));
        let wanted = self.wanted.take();
        let choice = if state.pause.is_some() {
            None
        } else {
            let again = wanted.and_then(|id| state.table.choose_by_id(id, now));
            again.or_else(|| state.table.choose(&self.tried, now))
        };
        if let Some(choice) = choice {
            return Next::Try(Claim::new(self.balancer, self.work, choice), choice.address);
        }
        if now >= until {
            return Next::GiveUp;
        }
        if self.tried.is_empty() {
            return Next::Wait(until);
        }
        // All of them have failed. They are tried again as long as it is held.
        self.tried.clear();
        Next::Wait(until.min(now + AGAIN))
    }
}

/// Connects to a backend.
pub(crate) async fn attempt(address: SocketAddr) -> Attempt {
    match timeout(ANSWER, connect_to_either(address)).await {
        Ok(Ok(backend)) => Attempt::Connected(backend),
        Ok(Err(error)) if is_ours(&error) => Attempt::NoRoom,
        Ok(Err(_)) | Err(_) => Attempt::Failed,
    }
}

/// Connects to an address. A server that listens on `localhost` may be at 127.0.0.1 or at [::1], whichever the system
/// names first: if it refuses at the first, the second is tried.
async fn connect_to_either(address: SocketAddr) -> io::Result<TcpStream> {
    match connect(address).await {
        Err(refused)
            if refused.kind() == io::ErrorKind::ConnectionRefused && address.ip() == Ipv4Addr::LOCALHOST =>
        {
            let other = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
            connect(other).await.map_err(|_| refused)
        }
        done => done,
    }
}

/// Connects to an address; to one of this machine without waiting, because the kernel has answered itself by then.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    // Bytes are passed on at once. If small packets were to be collected, their sender has done that already.
    set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Err(error) if error != Errno::INPROGRESS => return Err(error.into()),
        _ => {}
    }
    let is_connected = getpeername(&socket).is_ok();
    let stream = TcpStream::from_std(socket.into())?;
    if !is_connected {
        stream.writable().await?;
        stream.take_error()?.map_or(Ok(()), Err)?;
    }
    Ok(stream)
}

/// Whether something is missing on this side.
fn is_ours(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::ADDRNOTAVAIL))
}
