//! The root's side of the holder: it starts one if none runs, and stays connected to it.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use formation::AppName;
use ps_supervisor::{HOLDER, Order, connect_at_once, listen};

use crate::keep::Deaths;
use crate::place::Place;
use crate::spawn::spawn_holder;

/// The connection to the holder.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    holder: Option<UnixStream>,
    /// When a new holder is started in place of one that has died.
    due: Option<Instant>,
    since: Option<Instant>,
    deaths: Deaths,
}

impl Holding {
    /// Connects to the holder of a place. If there is none, one is started, which holds no output yet; then `true` is
    /// returned.
    pub(crate) fn find(&mut self, place: &Place, program: &Path) -> bool {
        self.due = None;
        if let Ok(holder) = connect_at_once(&place.own(), HOLDER) {
            (self.holder, self.since) = (Some(holder), Some(Instant::now()));
            return false;
        }
        self.since = Some(Instant::now());
        self.holder = start(place, program).ok();
        if self.holder.is_none() {
            self.wait();
        }
        self.holder.is_some()
    }

    /// The descriptor that becomes readable when the holder ends.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.holder.as_ref().map(AsFd::as_fd)
    }

    /// When [`Holding::find`] is to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The holder has ended: its connection became readable, and a living holder sends nothing.
    pub(crate) fn ended(&mut self) {
        self.holder = None;
        self.wait();
    }

    /// Tells the holder that no process of an app runs any more.
    pub(crate) fn release(&mut self, app: &AppName) {
        if let Some(holder) = &mut self.holder {
            // If the holder does not read this, it keeps FIFOs open that have no writer any more, which does no harm.
            let _ = holder.write(&Order::Release { app: app.to_string() }.line());
        }
    }

    fn wait(&mut self) {
        self.deaths.count(self.since.map(|since| since.elapsed()).unwrap_or_default());
        self.due = Some(Instant::now() + self.deaths.delay(false));
    }
}

/// Starts a holder with the socket that it listens on, so that a client that connects from now on is served once the
/// holder runs.
fn start(place: &Place, program: &Path) -> io::Result<UnixStream> {
    let listener = listen(&place.own(), HOLDER)?;
    let holder = connect_at_once(&place.own(), HOLDER)?;
    spawn_holder(program, place, listener)?;
    Ok(holder)
}
