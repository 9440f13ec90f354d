//! The socket to which processes send their state (`NOTIFY_SOCKET`, sd_notify(3)). One socket serves all runs of a
//! supervisor, because the kernel tells the sender's pid with each datagram. It is made when the first type needs it.

use std::fs::{self, Permissions};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};

const NAME: &str = "notify";
/// The longest path of a socket, in bytes (unix(7)).
const LONGEST_PATH: usize = 107;
/// The longest datagram that is read, in bytes, as for systemd.
const LONGEST: usize = 4096;
/// The most descriptors that a datagram may carry. They are closed on arrival, and a sender of `BARRIER=1` waits for just
/// that.
const DESCRIPTORS: usize = 16;

/// The socket.
#[derive(Debug)]
pub(crate) struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
    /// Whether the event loop knows it.
    pub(crate) is_watched: bool,
}

/// A datagram and its sender.
#[derive(Debug)]
pub(crate) struct Said {
    /// The pid of the sender.
    pub(crate) pid: u32,
    /// The content.
    pub(crate) datagram: Vec<u8>,
}

impl NotifySocket {
    /// Makes the socket in a service directory whose lock we hold. An old socket there belongs to a supervisor that has
    /// died.
    ///
    /// # Errors
    /// Why it cannot be made, for people.
    pub(crate) fn listen(service: &Path) -> Result<Self, String> {
        let path = service.join(NAME);
        let listening = if path.as_os_str().len() > LONGEST_PATH {
            Self::bind_name(service)
        } else {
            Self::bind(&path).map(|socket| (socket, path.clone()))
        };
        let (socket, path) = listening
            .and_then(|(socket, path)| {
                socket.set_nonblocking(true)?;
                sockopt::set_socket_passcred(&socket, true)?;
                Ok((socket, path))
            })
            .map_err(|error| format!("listen on {}: {error}", path.display()))?;
        Ok(Self { socket, path, is_watched: false })
    }

    fn bind(path: &Path) -> io::Result<UnixDatagram> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let socket = UnixDatagram::bind(path)?;
        // Any user may send, because a run may belong to another user than the supervisor. Datagrams from processes of no
        // run are dropped.
        fs::set_permissions(path, Permissions::from_mode(0o777))?;
        Ok(socket)
    }

    /// A socket without a file (unix(7)), for a directory whose path is too long, and what `NOTIFY_SOCKET` is then. The next supervisor of
    /// the directory has the same one.
    fn bind_name(service: &Path) -> io::Result<(UnixDatagram, PathBuf)> {
        let directory = fs::metadata(service)?;
        let name = format!("formation-notify-{}-{}", directory.dev(), directory.ino());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        Ok((socket, format!("@{name}").into()))
    }

    /// What `NOTIFY_SOCKET` is: a path, or `@` and a name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor to watch.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next datagram whose sender is known and that is not too long; at most `most` more are read. Its descriptors are
    /// closed before this returns, so the caller must have acted on the datagrams before it.
    pub(crate) fn next(&self, most: &mut usize) -> Option<Said> {
        while *most > 0 {
            *most -= 1;
            match self.receive() {
                Ok(Some(said)) => return Some(said),
                Ok(None) => (),
                Err(_) => return None,
            }
        }
        None
    }

    fn receive(&self) -> io::Result<Option<Said>> {
        let mut datagram = vec![0; LONGEST + 1];
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut datagram)], &mut control, flags)?;
        let mut sender = None;
        // The whole buffer is drained: reading cannot continue from the middle of it.
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                sender = Some(credentials.pid);
            }
        }
        datagram.truncate(received.bytes);
        let is_whole = received.bytes <= LONGEST;
        let said =
            |pid: rustix::process::Pid| Said { pid: pid.as_raw_nonzero().get().unsigned_abs(), datagram };
        Ok(sender.filter(|_| is_whole).map(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_whose_path_is_too_long_for_a_socket_has_one_without_a_file_and_the_next_supervisor_the_same()
     {
        let place = tempfile::tempdir().expect("a directory");
        let service = place.path().join("a".repeat(60)).join("b".repeat(60));
        fs::create_dir_all(&service).expect("made");
        let first = NotifySocket::listen(&service).expect("it listens");
        let name = first.path().to_str().and_then(|path| path.strip_prefix('@')).expect("a name").to_owned();
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.send_to_addr(b"READY=1", &address).expect("sent");
        let said = first.next(&mut 1).expect("it was said");
        assert_eq!((said.pid, &*said.datagram), (std::process::id(), &b"READY=1"[..]));
        drop(first);
        let second = NotifySocket::listen(&service).expect("it listens");
        assert_eq!(second.path(), Path::new(&format!("@{name}")));
    }
}
