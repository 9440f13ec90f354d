//! Listening sockets.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::place::{Place, Port};

/// How many connections may wait to be accepted by default: the same number as in Node.
const BACKLOG: i32 = 511;

/// A socket that listens, or receives datagrams.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) fd: Rc<OwnedFd>,
    /// Its address, with the real port; `None` for a Unix socket.
    pub(crate) name: Option<SocketAddr>,
    /// Device and inode of the file of a Unix socket.
    pub(crate) file: Option<(u64, u64)>,
}

impl Socket {
    /// Listens at a place. A Unix socket that no process listens on any more is replaced.
    pub(crate) fn open(place: &Place, backlog: i32) -> Result<Self, Errno> {
        let backlog = backlog.max(BACKLOG);
        match place {
            Place::Tcp(port) => Self::tcp(port, backlog),
            Place::Udp(port) => Self::bound(port, SocketType::DGRAM, port.reuses),
            Place::Path(path) => Self::at_path(path, backlog),
        }
    }

    fn tcp(port: &Port, backlog: i32) -> Result<Self, Errno> {
        let socket = match Self::bound(port, SocketType::STREAM, true) {
            // This machine has no IPv6.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) if port.address.is_none() => {
                let port = Port { is_v6: false, ..port.clone() };
                Self::bound(&port, SocketType::STREAM, true)
            }
            bound => bound,
        }?;
        rustix::net::listen(&socket.fd, backlog)?;
        Ok(socket)
    }

    fn bound(port: &Port, kind: SocketType, reuses: bool) -> Result<Self, Errno> {
        let address = port.address();
        let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let fd = new(family, kind)?;
        sockopt::set_socket_reuseaddr(&fd, reuses)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&fd, port.is_v6_only)?;
        }
        rustix::net::bind(&fd, &address)?;
        let name = rustix::net::getsockname(&fd)?;
        Ok(Self { fd: Rc::new(fd), name: SocketAddr::try_from(name).ok(), file: None })
    }

    fn at_path(path: &Path, backlog: i32) -> Result<Self, Errno> {
        let fd = new(AddressFamily::UNIX, SocketType::STREAM)?;
        let address = SocketAddrUnix::new(path)?;
        match rustix::net::bind(&fd, &address) {
            Err(Errno::ADDRINUSE) if is_left(path) => {
                fs::remove_file(path).map_err(|error| errno(&error))?;
                rustix::net::bind(&fd, &address)?;
            }
            bound => bound?,
        }
        rustix::net::listen(&fd, backlog)?;
        Ok(Self { fd: Rc::new(fd), name: None, file: file(path) })
    }

    /// Whether the path of a Unix socket still leads to it. Many programs remove the file before they listen.
    pub(crate) fn is_reached(&self, place: &Place) -> bool {
        match place {
            Place::Path(path) => file(path) == self.file,
            Place::Tcp(_) | Place::Udp(_) => true,
        }
    }

    /// Removes the file of a Unix socket.
    pub(crate) fn close(&self, place: &Place) {
        if let Place::Path(path) = place
            && self.is_reached(place)
        {
            let _ = fs::remove_file(path);
        }
    }

    /// Accepts the next connection, if one waits.
    pub(crate) fn accept(&self) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        rustix::io::retry_on_intr(|| rustix::net::accept_with(&self.fd, flags))
    }
}

fn new(family: AddressFamily, kind: SocketType) -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
}

fn file(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Whether the path has a socket whose process has ended.
fn is_left(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
