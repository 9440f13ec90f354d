//! The listening sockets: bound here, or inherited in the way of systemd: `LISTEN_FDS` of them from descriptor 3 on,
//! with the names in `LISTEN_FDNAMES`, separated by colons.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use anyhow::{Context, Result};
use listenfd::ListenFd;
use ps_cli::exit::Refusal;
use rustix::net::{AddressFamily, SocketType};

use crate::tls::Tls;

/// How many connections may wait to be accepted. The kernel has a limit of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;
/// The name of the descriptor at whose other end the supervisor is.
const CONTROL: &str = "control";
/// The name of the descriptors whose clients speak TLS.
const TLS: &str = "tls";

/// A socket that connections are accepted from.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: tokio::net::TcpListener,
    /// By which TLS is ended, if that is what its clients speak.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// The sockets that the parent process has passed on.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) listeners: Vec<TcpListener>,
    /// Those of clients that speak TLS.
    pub(crate) tls: Vec<TcpListener>,
    /// The connection to the supervisor.
    pub(crate) supervisor: Option<UnixStream>,
    /// Why sockets that somebody meant to pass on were not taken.
    pub(crate) ignored: Option<String>,
}

/// Takes the sockets that were passed on. It may be called only once, before a second thread exists, because it removes
/// their variables from the environment.
pub(crate) fn inherited() -> Result<Inherited> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let said = ["LISTEN_FDS", "LISTEN_PID"].map(|name| std::env::var(name).ok());
    let mut handed = ListenFd::from_env();
    let ignored = if handed.len() == 0 { ignored(said) } else { None };
    let mut inherited = Inherited { ignored, ..Inherited::default() };
    for at in 0..handed.len() {
        let name = names.next();
        if name == Some(CONTROL) {
            let (family, kind) = (AddressFamily::UNIX.as_raw().into(), SocketType::STREAM.as_raw());
            let kind = i32::try_from(kind).expect("the numbers of kinds of sockets are small");
            inherited.supervisor =
                handed.take_custom(at, family, kind, "Unix stream").map_err(|error| unusable(&error))?;
        } else {
            let to = if name == Some(TLS) { &mut inherited.tls } else { &mut inherited.listeners };
            let listener = handed.take_tcp_listener(at).map_err(|error| unusable(&error))?;
            if let Some(listener) = &listener
                && !rustix::net::sockopt::socket_acceptconn(listener)
                    .map_err(|errno| unusable(&errno.into()))?
            {
                let fd = listener.as_raw_fd();
                return Err(unusable(&io::Error::other(format!("nobody listens on the socket fd {fd}"))));
            }
            to.extend(listener);
        }
    }
    Ok(inherited)
}

/// Why no socket was taken although `LISTEN_FDS` is set; `None` if it is not, or says that there is none.
fn ignored([count, pid]: [Option<String>; 2]) -> Option<String> {
    let count = count.filter(|count| count != "0")?;
    let ours = std::process::id();
    Some(match pid {
        Some(pid) if pid.parse() != Ok(ours) => {
            format!(
                "the sockets of LISTEN_FDS are for process {pid} (LISTEN_PID), and this is process {ours}"
            )
        }
        _ => format!("LISTEN_FDS={count} is no number of sockets"),
    })
}

fn unusable(error: &io::Error) -> anyhow::Error {
    Refusal::usage(format!("LISTEN_FDS hands over something else than listening TCP sockets: {error}"))
}

/// Listens on an address.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = || format!("listen on {address}");
    let listener = TcpListener::bind(address).with_context(bound)?;
    rustix::net::listen(&listener, BACKLOG).map_err(io::Error::from).with_context(bound)?;
    Ok(listener)
}

/// Makes a listening socket one whose connections send at once what they are given.
pub(crate) fn prepare(socket: TcpListener, tls: Option<Arc<Tls>>) -> io::Result<Arc<Listener>> {
    socket.set_nonblocking(true)?;
    // Accepted connections inherit it.
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(Arc::new(Listener { socket: tokio::net::TcpListener::from_std(socket)?, tls }))
}
