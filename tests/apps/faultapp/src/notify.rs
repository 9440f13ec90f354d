//! Readiness as systemd has it: one datagram, `READY=1`, to the socket that `NOTIFY_SOCKET` names.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::Duration;

use crate::say;

/// Waits, then says that the process is ready. Without `NOTIFY_SOCKET` it only complains.
pub(crate) fn ready(after: Duration) -> io::Result<()> {
    thread::sleep(after);
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
        say::complain("nobody to tell that this is ready: NOTIFY_SOCKET is not set");
        return Ok(());
    };
    let named = |error: io::Error| say::failed(&format!("tell {} READY=1", socket.display()), &error);
    let address = address(&socket).map_err(named)?;
    UnixDatagram::unbound()?.send_to_addr(b"READY=1\n", &address).map(drop).map_err(named)
}

/// A name that begins with `@` is an abstract one.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(socket),
    }
}
