//! One try of one check. Three steps, each of which may have to wait for the other side: connect, send the request, read the
//! first line of the answer. A check without a path ends with the first.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Check;
use crate::connection::Connection;
use crate::status_line::StatusLine;

/// How much is read at a time, in bytes.
const PIECE: usize = 1024;
const DAY: Duration = Duration::from_secs(86_400);

/// How a try stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known yet.
    Pending,
    /// The check holds.
    Holds,
    /// It does not, and why, as a fragment for people: `it answered "HTTP/1.1 500 Internal Server Error"`.
    DoesNotHold(String),
}

/// One try of one check.
#[derive(Debug)]
pub struct Probe {
    step: Step,
    request: Option<Vec<u8>>,
    timeout: Duration,
    deadline: Instant,
}

#[derive(Debug)]
enum Step {
    Connecting(Connection),
    Sending { connection: Connection, request: Vec<u8>, sent: usize },
    Reading { connection: Connection, line: StatusLine },
    Over(Standing),
}

impl Probe {
    /// Begins to ask a check at an address. Nothing is waited for, and what fails at once is told by [`Self::advance`].
    pub fn begin(check: &Check, address: SocketAddr, now: Instant) -> Self {
        let request = check.path.as_deref().map(request);
        let step = match Connection::begin(address) {
            Ok(connection) => Step::Connecting(connection),
            Err(error) => Step::Over(Standing::DoesNotHold(error.to_string())),
        };
        // A time that no clock can show is as good as a day.
        let deadline = now.checked_add(check.timeout).unwrap_or(now + DAY);
        Self { step, request, timeout: check.timeout, deadline }
    }

    /// What it waits for: a descriptor, and what must come true of it. `None`: the try is over.
    pub fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.step {
            Step::Connecting(connection) | Step::Sending { connection, .. } => {
                Some((connection.descriptor(), PollFlags::OUT))
            }
            Step::Reading { connection, .. } => Some((connection.descriptor(), PollFlags::IN)),
            Step::Over(_) => None,
        }
    }

    /// Until when it waits: [`Self::advance`] is to be called then at the latest.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Goes on as far as it can without waiting, and says how the try stands. May be called at any time.
    pub fn advance(&mut self, now: Instant) -> Standing {
        loop {
            let step = std::mem::replace(&mut self.step, Step::Over(Standing::Pending));
            let (step, goes_on) = match self.after(step) {
                Ok(taken) => taken,
                Err(reason) => (Step::Over(Standing::DoesNotHold(reason)), false),
            };
            self.step = step;
            if !goes_on {
                break;
            }
        }
        let is_late = now >= self.deadline;
        if let Some(late) = self.late().filter(|_| is_late) {
            self.step = Step::Over(Standing::DoesNotHold(late));
        }
        match &self.step {
            Step::Over(standing) => standing.clone(),
            Step::Connecting(_) | Step::Sending { .. } | Step::Reading { .. } => Standing::Pending,
        }
    }

    /// Waits until there is something to do, or the deadline has passed.
    pub fn wait(&self) {
        let Some((descriptor, events)) = self.waits_for() else { return };
        let left = self.deadline.saturating_duration_since(Instant::now());
        // What is too long for the system is too long for anybody.
        let left = Timespec::try_from(left).ok();
        // Interrupted: whoever calls looks and waits again.
        let _ = poll(&mut [PollFd::from_borrowed_fd(descriptor, events)], left.as_ref());
    }

    /// The step after this one, and whether that one can be tried at once.
    fn after(&self, step: Step) -> Result<(Step, bool), String> {
        let failed = |error: io::Error| error.to_string();
        match step {
            Step::Connecting(connection) => {
                if !is_writable(connection.descriptor()) {
                    return Ok((Step::Connecting(connection), false));
                }
                connection.established().map_err(failed)?;
                Ok(match self.request.clone() {
                    None => (Step::Over(Standing::Holds), false),
                    Some(request) => (Step::Sending { connection, request, sent: 0 }, true),
                })
            }
            Step::Sending { connection, request, sent } => {
                let more = connection.send(&request[sent..]).map_err(failed)?;
                let (sent, is_done) = match more {
                    Some(more) => (sent + more, sent + more == request.len()),
                    None => (sent, false),
                };
                if is_done {
                    return Ok((Step::Reading { connection, line: StatusLine::default() }, true));
                }
                Ok((Step::Sending { connection, request, sent }, more.is_some()))
            }
            Step::Reading { connection, line } => reading(connection, line),
            Step::Over(standing) => Ok((Step::Over(standing), false)),
        }
    }

    /// Why it does not hold when its time is up; `None`: it is over.
    fn late(&self) -> Option<String> {
        let what = match &self.step {
            Step::Connecting(_) => "it did not accept".to_owned(),
            Step::Sending { .. } => "it did not take the request".to_owned(),
            Step::Reading { line, .. } => line.late(),
            Step::Over(_) => return None,
        };
        Some(format!("{what} within {} s", self.timeout.as_secs_f64()))
    }
}

fn reading(connection: Connection, mut line: StatusLine) -> Result<(Step, bool), String> {
    let mut piece = [0; PIECE];
    match connection.receive(&mut piece).map_err(|error| error.to_string())? {
        None => Ok((Step::Reading { connection, line }, false)),
        Some(0) => Err(line.cut_off()),
        Some(count) => match line.take(&piece[..count]) {
            None => Ok((Step::Reading { connection, line }, true)),
            Some(judged) => judged.map(|()| (Step::Over(Standing::Holds), false)),
        },
    }
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Whether a connection has been made or refused.
fn is_writable(descriptor: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// Asks a check once, and waits for the answer.
pub fn ask(check: &Check, address: SocketAddr) -> Result<(), String> {
    let mut probe = Probe::begin(check, address, Instant::now());
    loop {
        match probe.advance(Instant::now()) {
            Standing::Pending => probe.wait(),
            Standing::Holds => return Ok(()),
            Standing::DoesNotHold(reason) => return Err(reason),
        }
    }
}
