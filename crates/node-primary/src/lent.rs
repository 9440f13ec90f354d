//! Sockets that several primaries of one user share. Each primary that has a socket gives it to others on request: it listens at a Unix
//! socket in a directory that all of them know, and a thread sends copies of the descriptor. So no single primary owns a port, and the
//! port is free once the last of them has ended.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::cluster;
use crate::place::Place;
use crate::socket::Socket;

/// How long a process that has a socket may take to answer, or to end if it no longer answers.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to check whether a process still offers its socket.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// The size of the stack of the thread, which makes only system calls.
const STACK: usize = 64 << 10;
/// The pause of the thread if no descriptor is left for a request.
const PAUSE: Duration = Duration::from_millis(100);

/// The directory in which sockets are offered: `KEY.PID` is the socket at which that process offers one, and `KEY.lock` is held while a
/// process looks for one or makes it. `KEY` is a hash of the place; the place itself is sent with the socket.
#[derive(Debug)]
pub(crate) struct Lenders {
    directory: OwnedFd,
}

/// The message that is sent with the descriptor of a socket.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lent {
    place: Place,
    /// Device and inode of the file of a Unix socket.
    file: Option<(u64, u64)>,
}

/// Lends a socket as long as the value exists.
#[derive(Debug)]
pub(crate) struct Offer {
    listener: UnixListener,
    file: PathBuf,
    /// The open directory. It is kept open because `file` contains its descriptor.
    _directory: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Lenders {
    /// Opens the directory, and makes it if it does not exist.
    ///
    /// # Errors
    /// The directory cannot be made, or other users may write into it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())?;
        let found = fs::metadata(path)?;
        if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err(io::Error::other("other users may write into that directory"));
        }
        Ok(Self { directory })
    }

    /// The socket of a place: a copy of another process's socket, or a new one, which is offered to other processes
    /// from now on.
    ///
    /// # Errors
    /// A program that does not lend its socket uses the address, or an error of [`Socket::open`].
    pub(crate) fn socket(&self, place: &Place, backlog: i32) -> Result<(Socket, Offer), Errno> {
        let key = key(place);
        let _lock = self.lock(&key).map_err(|error| errno(&error))?;
        let socket = match self.borrow(place, &key) {
            Some(socket) => socket,
            None => Socket::open(place, backlog)?,
        };
        let offer = self.offer(place, &key, &socket).map_err(|error| errno(&error))?;
        Ok((socket, offer))
    }

    fn lock(&self, key: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, format!("{key}.lock"), flags, Mode::from(0o600))?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))?;
        Ok(file)
    }

    /// A short path, because the path of a Unix socket has at most 108 bytes.
    fn path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd()).into()
    }

    fn borrow(&self, place: &Place, key: &str) -> Option<Socket> {
        let names = rustix::fs::Dir::read_from(&self.directory).ok()?;
        let names = names.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned));
        let pid = |name: &str| name.strip_prefix(key)?.strip_prefix('.')?.parse().ok();
        let all: Vec<(String, i32)> = names.filter_map(|name| pid(&name).map(|pid| (name, pid))).collect();
        all.iter().find_map(|(name, pid)| {
            let file = self.path(name);
            match UnixStream::connect(&file) {
                Ok(lender) => ask(&lender, place),
                // The process of this offer has ended, or is about to end: until then the address is not free.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    wait_for_end(*pid, &file);
                    let _ = fs::remove_file(&file);
                    None
                }
                Err(_) => None,
            }
        })
    }

    fn offer(&self, place: &Place, key: &str, socket: &Socket) -> io::Result<Offer> {
        let directory = self.directory.try_clone()?;
        let name = format!("{key}.{}", std::process::id());
        let file = PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()));
        let _ = fs::remove_file(&file);
        let listener = UnixListener::bind(&file)?;
        let lent = serde_json::to_vec(&Lent { place: place.clone(), file: socket.file })?;
        let (asked, copy) = (listener.try_clone()?, socket.fd.try_clone()?);
        let thread = thread::Builder::new().name("lender".to_owned()).stack_size(STACK);
        let thread = thread.spawn(move || lend(&asked, &copy, &lent))?;
        Ok(Offer { listener, file, _directory: directory, thread: Some(thread) })
    }
}

/// Removes the file of the offer.
impl Drop for Offer {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.file);
    }
}

fn lend(listener: &UnixListener, socket: &OwnedFd, lent: &[u8]) {
    for asker in listener.incoming() {
        match asker {
            Ok(asker) if is_own_user(&asker) => {
                // The message fits into the empty buffer of the socket. If the asking process is gone, no answer is needed.
                let _ = passed_fds::send(&asker, lent, &[socket.as_fd()]);
            }
            Ok(_) => (),
            // The offer has ended.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn is_own_user(peer: &UnixStream) -> bool {
    sockopt::socket_peercred(peer).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// The socket of this place, if the other process has one for it and answers. A Unix socket is only used while its path leads to it.
fn ask(lender: &UnixStream, place: &Place) -> Option<Socket> {
    lender.set_read_timeout(Some(PATIENCE)).ok()?;
    if !is_own_user(lender) {
        return None;
    }
    let (mut text, mut socket) = (Vec::new(), None);
    let mut part = [0; 1024];
    loop {
        let received = passed_fds::receive(lender, &mut part).ok()?;
        socket = received.fds.into_iter().next().or(socket);
        text.extend_from_slice(&part[..received.bytes]);
        if received.bytes == 0 {
            break;
        }
    }
    let lent: Lent = serde_json::from_slice(&text).ok()?;
    let fd = socket.filter(|_| lent.place == *place)?;
    let name = rustix::net::getsockname(&fd).ok().and_then(|name| SocketAddr::try_from(name).ok());
    let socket = Socket { fd: Rc::new(fd), name, file: lent.file };
    Some(socket).filter(|socket| socket.is_reached(place))
}

/// Waits until a process has ended or has withdrawn its offer, for a limited time: another process may have the pid by now.
fn wait_for_end(pid: i32, file: &Path) {
    let Some(process) = Pid::from_raw(pid) else { return };
    let Ok(process) = rustix::process::pidfd_open(process, PidfdFlags::empty()) else { return };
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit && file.symlink_metadata().is_ok() && !has_ended(process.as_fd()) {}
}

fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut ready = [PollFd::from_borrowed_fd(process, PollFlags::IN)];
    rustix::event::poll(&mut ready, Some(&LOOK)).is_ok_and(|ready| ready > 0)
}

/// A number for a place, the same in every version of this program (FNV-1a). Two places may have the same number.
fn key(place: &Place) -> String {
    let bytes = cluster::key(place).into_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests;
