//! Reports the state of this program to its caller (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::process::Pid;

/// The environment variable with the address of the socket.
pub(crate) const SOCKET: &str = "NOTIFY_SOCKET";

/// Sends lines such as `READY=1`, if a notification socket is set. Errors are ignored.
pub(crate) fn tell(lines: &str) {
    let Some(path) = std::env::var(SOCKET).ok().filter(|path| !path.is_empty()) else { return };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = UnixDatagram::unbound()
        .and_then(|socket| address.and_then(|address| socket.send_to_addr(lines.as_bytes(), &address)));
    drop(sent);
}

/// The line that names the process of the program. It is not `MAINPID`, because this program must be told when the
/// instance is to end.
pub(crate) fn program(pid: Pid) -> String {
    format!("X_FORMATION_PROGRAM_PID={}", pid.as_raw_nonzero())
}

/// The lines that report that a reload has begun.
pub(crate) fn reloading() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
}
