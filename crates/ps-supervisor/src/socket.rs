//! Unix sockets that only the owner of their directory can use. The directory's path may be longer than a socket address
//! can hold.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The name in a service directory of the socket on which its supervisor answers.
pub(crate) const CONTROL_SOCKET: &str = "control";

/// Listens under a name in a directory, in place of an old socket. The socket has mode 0600 from the start and is
/// nonblocking.
pub fn listen(directory: &Path, name: &str) -> io::Result<UnixListener> {
    match fs::remove_file(directory.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let directory = File::open(directory)?;
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(short_path(&directory, name));
    rustix::process::umask(before);
    let listener = bound?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to the socket of that name in a directory.
pub fn connect(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let directory = File::open(directory)?;
    UnixStream::connect(short_path(&directory, name))
}

/// The same without ever waiting: the stream is nonblocking, and a socket whose owner does not accept what waits already refuses.
pub fn connect_at_once(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let directory = File::open(directory)?;
    let address = SocketAddrUnix::new(short_path(&directory, name))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

/// Whether the peer is root or the same user as we are.
pub fn may_speak(stream: &UnixStream) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(stream);
    peer.is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

/// The process that has connected.
pub(crate) fn peer(stream: &UnixStream) -> Option<u32> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

/// A path through /proc/self/fd, because the address of a socket has room for 108 bytes only.
fn short_path(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}
