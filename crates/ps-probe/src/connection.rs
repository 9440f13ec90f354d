//! A nonblocking connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, getsockname, recv, send,
    socket_with, sockopt,
};

/// A TCP connection that is being established, or is established.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    address: SocketAddr,
}

impl Connection {
    /// Begins to connect. Whether that succeeds is known once the descriptor is writable.
    pub fn begin(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        match connect(&socket, &address) {
            // If the call is interrupted, the connection is made all the same.
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(Self { socket, address }),
            Err(error) => Err(error.into()),
        }
    }

    /// The address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the connection is established, once the descriptor is writable.
    pub(crate) fn established(&self) -> io::Result<()> {
        sockopt::socket_error(&self.socket)??;
        // If no process listens on a port of the range for outgoing connections, the socket may be given that same port and
        // connect to itself.
        let own = getsockname(&self.socket)?;
        let is_itself = SocketAddr::try_from(own).is_ok_and(|own| own == self.address);
        if is_itself { Err(Errno::CONNREFUSED.into()) } else { Ok(()) }
    }

    /// Sends as many bytes as possible now; `None`: none.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        unless_it_would_wait(|| send(&self.socket, bytes, SendFlags::NOSIGNAL))
    }

    /// Receives the bytes that have arrived, 0 at the end; `None` if there are none yet.
    pub fn take(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        unless_it_would_wait(|| recv(&self.socket, &mut *buffer, RecvFlags::empty()).map(|(count, _)| count))
    }
}

fn unless_it_would_wait(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}
