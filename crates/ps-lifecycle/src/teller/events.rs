//! Events on stdout, one JSON object a line. A thread writes them, so that a slow or absent reader does not delay the
//! verb.
//!
//! Nothing else may be printed between them. So from the first event on, stdout of this program and of the hooks that
//! it calls is redirected to stderr, and only the events go to the original stdout.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ps_rows::EventRow;

const LOOK_AGAIN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(2);

/// The queue of events, and the thread that writes them.
#[derive(Debug)]
pub(super) struct Events {
    lines: Mutex<Option<Sender<Vec<u8>>>>,
    /// Receives no message; its sender is dropped when everything is written.
    written: Mutex<Receiver<()>>,
}

impl Events {
    /// Redirects stdout to stderr, and keeps the original stdout for the events.
    pub(super) fn take_stdout() -> Result<Self> {
        let redirected = || {
            let stdout = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
            rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
            Ok::<_, rustix::io::Errno>(stdout)
        };
        let mut out = File::from(redirected().context("take stdout for events")?);
        let (lines, queue) = mpsc::channel::<Vec<u8>>();
        let (alive, written) = mpsc::channel();
        thread::Builder::new()
            .spawn(move || {
                let _alive: Sender<()> = alive;
                // If the reader has closed the pipe, the rest is dropped without an error.
                queue.iter().all(|line| out.write_all(&line).is_ok());
            })
            .context("write events")?;
        Ok(Self { lines: Mutex::new(Some(lines)), written: Mutex::new(written) })
    }

    /// Writes an event, in the order of the calls.
    pub(super) fn write(&self, row: &EventRow<'_>) {
        let mut line = Vec::new();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(lines), Ok(())) = (&*lines, ps_rows::json_line(&mut line, row)) {
            let _ = lines.send(line);
        }
    }

    /// Returns once everything is written. Once `is_given_up`, a reader that reads nothing is waited for only for [`PATIENCE`].
    pub(super) fn end(&self, is_given_up: impl Fn() -> bool) {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut given_up = None;
        while matches!(written.recv_timeout(LOOK_AGAIN), Err(RecvTimeoutError::Timeout)) {
            if is_given_up() && given_up.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                return;
            }
        }
    }
}
