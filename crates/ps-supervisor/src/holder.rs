//! The supervisor's messages to the holder, a process that keeps the outputs of all apps of a world open for
//! reading and never reads. The content of a FIFO is lost as soon as no process has it open: without the holder, that
//! would happen whenever a process ends while its supervisor is dead.
//!
//! A client connects, writes its message and closes the connection. No answer is waited for, so a hanging holder delays
//! nobody.
//!
//! The holder also has a copy of each socket on which a supervisor listens for clients. While the supervisor is dead,
//! the kernel still queues connections for that socket. The next supervisor asks for the copies, which is the only
//! request that is answered.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};

use crate::socket;

/// The directory of the root, beside the service directories.
pub const ROOT: &str = ".root";
/// The name of the holder's socket in the directory of the root.
pub const HOLDER: &str = "holder";
/// So many runs are named in one line, which a socket takes at once.
const RUNS_IN_A_LINE: usize = 500;
/// How long a supervisor waits for the copies of its sockets. A holder of an earlier version has none, and does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer, in bytes: a few addresses.
const LONGEST_ANSWER: usize = 4096;

/// What the holder is to do; one JSON document a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Hold the outputs of these runs.
    Hold {
        /// Their directories, from that of all apps: `shop/web.1/runs/17`.
        runs: Vec<PathBuf>,
    },
    /// Let go of all outputs and sockets of an app: nothing of it runs.
    Release {
        /// The app.
        app: String,
    },
    /// Keep these listening sockets of an app, which come with this line as descriptors, in place of those that were kept before.
    Keep {
        /// The app.
        app: String,
        /// The address of each, in the order of the descriptors.
        addresses: Vec<SocketAddr>,
    },
    /// Send copies of the sockets of an app: the answer is one line, [`Copies`], with the descriptors.
    Copies {
        /// The app.
        app: String,
    },
}

/// The answer to [`Order::Copies`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// The address of each socket, in the order of the descriptors.
    pub addresses: Vec<SocketAddr>,
}

impl Order {
    /// The message as a line.
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }
}

impl Copies {
    /// The message as a line.
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }
}

fn line(said: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(said).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Has copies of the listening sockets of an app kept, and none of any other socket of that app.
///
/// # Errors
/// There is no holder, or it does not take them in.
pub(crate) fn keep(service: &Path, sockets: &[(SocketAddr, BorrowedFd<'_>)]) -> io::Result<()> {
    let Some((services, app)) = place(service) else { return Ok(()) };
    let addresses = sockets.iter().map(|(address, _)| *address).collect();
    let fds: Vec<BorrowedFd<'_>> = sockets.iter().map(|(_, socket)| *socket).collect();
    let holder = socket::connect_at_once(&services.join(ROOT), HOLDER)?;
    let line = Order::Keep { app, addresses }.line();
    // A line of a few hundred bytes is taken whole or not at all.
    passed_fds::send(&holder, &line, &fds).map(drop)
}

/// The listening sockets of an app that an earlier supervisor has left with the holder; empty if it left none.
pub(crate) fn copies(service: &Path) -> Vec<(SocketAddr, OwnedFd)> {
    answer(service).unwrap_or_default()
}

/// The same; `None` if no holder lives that answers.
pub(crate) fn answer(service: &Path) -> Option<Vec<(SocketAddr, OwnedFd)>> {
    place(service).and_then(|(services, app)| ask_for_copies(services, app).ok())
}

/// Whether the holder keeps listening sockets of an app open, so that clients wait while nobody accepts.
pub fn is_held(service: &Path) -> bool {
    !copies(service).is_empty()
}

fn ask_for_copies(services: &Path, app: String) -> io::Result<Vec<(SocketAddr, OwnedFd)>> {
    let mut holder = socket::connect_at_once(&services.join(ROOT), HOLDER)?;
    holder.write_all(&Order::Copies { app }.line())?;
    let patience = Timespec::try_from(PATIENCE).ok();
    let mut ready = [PollFd::new(&holder, PollFlags::IN)];
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut ready, patience.as_ref()))?;
    let mut answer = [0; LONGEST_ANSWER];
    let received = passed_fds::receive(&holder, &mut answer)?;
    let Copies { addresses } = serde_json::from_slice(&answer[..received.bytes])?;
    Ok(addresses.into_iter().zip(received.fds).collect())
}

/// The directory of all service directories, and the app's name in it.
fn place(service: &Path) -> Option<(&Path, String)> {
    Some((service.parent()?, service.file_name()?.to_str()?.to_owned()))
}

/// Has the outputs in these directories of runs held. Where there is no holder they are not; if their process then ends while no supervisor
/// lives, the next one says that output may be missing.
pub(crate) fn hold(service: &Path, runs: &[PathBuf]) {
    let Some(services) = service.parent() else { return };
    for part in runs.chunks(RUNS_IN_A_LINE) {
        let runs =
            part.iter().filter_map(|run| run.strip_prefix(services).ok()).map(Path::to_owned).collect();
        if say(services, &Order::Hold { runs }).is_err() {
            return;
        }
    }
}

/// Tells the holder to close all outputs and sockets of an app, because nothing of the app runs, and neither does a
/// supervisor whose end a root would see.
pub fn release_outputs(service: &Path) {
    if let Some((services, app)) = place(service) {
        // Without a holder nothing is held.
        let _ = say(services, &Order::Release { app });
    }
}

/// Has it look whether something that it holds was removed.
pub(crate) fn remind(service: &Path) {
    if let Some(services) = service.parent() {
        // Without a holder nothing is held.
        let _ = socket::connect_at_once(&services.join(ROOT), HOLDER);
    }
}

fn say(services: &Path, order: &Order) -> io::Result<()> {
    socket::connect_at_once(&services.join(ROOT), HOLDER)?.write_all(&order.line())
}
