//! The socket to which processes say how they are (`NOTIFY_SOCKET`): one for all runs of a supervisor, because who speaks is
//! told by the kernel and not by which socket is spoken to. It is there as soon as a type asks for it.

use std::fs::{self, Permissions};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};

const NAME: &str = "notify";
/// The longest path that a socket can have, in bytes (unix(7)).
const LONGEST_PATH: usize = 107;
/// The longest datagram that is read, in bytes: systemd takes no longer ones either.
const LONGEST: usize = 4096;
/// How many descriptors a datagram may bring along. Those that come are closed, which is what `BARRIER=1` waits for.
const DESCRIPTORS: usize = 16;

/// The socket.
#[derive(Debug)]
pub(crate) struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
    /// Whether the event loop knows it.
    pub(crate) is_watched: bool,
}

/// What somebody said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Who.
    pub(crate) pid: u32,
    /// What.
    pub(crate) datagram: Vec<u8>,
}

impl NotifySocket {
    /// Listens in a service directory whose lock we hold: an old socket there is nobody's.
    ///
    /// # Errors
    /// Why not, for people.
    pub(crate) fn listen(service: &Path) -> Result<Self, String> {
        let path = service.join(NAME);
        if path.as_os_str().len() > LONGEST_PATH {
            let path = path.display();
            return Err(format!(
                "{path} is too long for NOTIFY_SOCKET, which has {LONGEST_PATH} bytes at most"
            ));
        }
        let socket = Self::bind(&path).map_err(|error| format!("listen on {}: {error}", path.display()))?;
        Ok(Self { socket, path, is_watched: false })
    }

    fn bind(path: &Path) -> io::Result<UnixDatagram> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let socket = UnixDatagram::bind(path)?;
        // Whoever is not of a run is not heard; a run may belong to another user than we do.
        fs::set_permissions(path, Permissions::from_mode(0o777))?;
        socket.set_nonblocking(true)?;
        sockopt::set_socket_passcred(&socket, true)?;
        Ok(socket)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor to watch.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next datagram that somebody can be said to have sent and that is not too long, of `most` that are taken at most. What came
    /// with it is closed by now, so what was said before must have been heeded.
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
        // All of them are taken, in one go: a buffer that is left in the middle cannot be read on.
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
