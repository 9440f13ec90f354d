//! Sockets in a directory whose path may be longer than an address of a socket can be, for the owner of the directory alone.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

/// Listens under a name in a directory; an old socket there is nobody's. Mode 0600 from birth. It does not block.
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

/// Connects to whoever listens under a name in a directory.
pub fn connect(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let directory = File::open(directory)?;
    UnixStream::connect(short_path(&directory, name))
}

/// Whether whoever connected may speak to us: the same user, or root.
pub fn may_speak(stream: &UnixStream) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(stream);
    peer.is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

/// By way of a descriptor: a socket's path has 108 bytes at most.
fn short_path(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}
