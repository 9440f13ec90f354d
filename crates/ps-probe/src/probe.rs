//! One attempt of a GET. It has four steps, each of which may have to wait for the server: connect, send the request,
//! read the answer until it is known whether the check holds, and let the server write the rest of it. A server whose
//! connection is closed earlier logs an error (a broken pipe) at each check.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Get;
use crate::answer::Answer;
use crate::channel::Channel;
use crate::connection::Connection;

/// How many bytes are read at once.
const PIECE: usize = 4096;
/// How many pieces are read in a row, so that a caller with many probes also handles the others.
const PIECES: usize = 16;
/// How long a server may go on writing once the result is known.
const LEAVE: Duration = Duration::from_millis(250);
const REST: usize = 1 << 20;
const DAY: Duration = Duration::from_secs(86_400);

/// The result of an attempt so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not known yet.
    Pending,
    /// The check has succeeded.
    Holds,
    /// The check has failed; the reason is a phrase for people: `it answered "HTTP/1.1 500 Internal Server Error"`.
    DoesNotHold(String),
}

/// One attempt of a GET, over a connection or over another channel.
#[derive(Debug)]
pub struct Probe<C = Connection> {
    step: Step<C>,
    content: String,
    timeout: Duration,
    deadline: Instant,
    /// Whether more can be read at once.
    has_more: bool,
}

#[derive(Debug)]
enum Step<C> {
    Connecting {
        channel: C,
        request: Vec<u8>,
    },
    Sending {
        channel: C,
        request: Vec<u8>,
        sent: usize,
    },
    Reading {
        channel: C,
        answer: Answer,
    },
    /// The result is known; the server may write `left` more bytes, until this time.
    Leaving {
        channel: C,
        standing: Standing,
        until: Instant,
        left: usize,
    },
    Over(Standing),
}

impl Probe {
    /// Begins an attempt by plain HTTP. It does not block; an immediate failure is returned by [`Self::advance`].
    pub fn begin(get: &Get, address: SocketAddr, timeout: Duration, now: Instant) -> Self {
        Self::through(Connection::begin(address), get, timeout, now)
    }
}

impl<C: Channel> Probe<C> {
    /// Begins an attempt through a channel whose connection is being established.
    pub fn through(channel: io::Result<C>, get: &Get, timeout: Duration, now: Instant) -> Self {
        let step = match channel {
            Ok(channel) => Step::Connecting { channel, request: request(get) },
            Err(error) => Step::Over(Standing::DoesNotHold(error.to_string())),
        };
        // A deadline that the clock cannot represent becomes a day.
        let deadline = now.checked_add(timeout).unwrap_or(now + DAY);
        Self { step, content: get.content.clone(), timeout, deadline, has_more: false }
    }

    /// The descriptor to wait for, and the events; `None` if the attempt is over.
    pub fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.step {
            Step::Connecting { channel, .. } => Some((channel.descriptor(), PollFlags::OUT)),
            Step::Sending { channel, .. } => Some((channel.descriptor(), channel.waits_for(PollFlags::OUT))),
            Step::Reading { channel, .. } | Step::Leaving { channel, .. } => {
                Some((channel.descriptor(), channel.waits_for(PollFlags::IN)))
            }
            Step::Over(_) => None,
        }
    }

    /// When [`Self::advance`] has to be called at the latest; `now` if there is nothing to wait for.
    pub fn due(&self, now: Instant) -> Instant {
        match &self.step {
            _ if self.has_more => now,
            Step::Leaving { until, .. } => self.deadline.min(*until),
            _ => self.deadline,
        }
    }

    /// Continues as far as possible without blocking, and returns the result so far. May be called at any time.
    pub fn advance(&mut self, now: Instant) -> Standing {
        self.has_more = true;
        for _ in 0..PIECES {
            let step = std::mem::replace(&mut self.step, Step::Over(Standing::Pending));
            let (step, goes_on) = match self.after(step, now) {
                Ok(taken) => taken,
                Err(reason) => (Step::Over(Standing::DoesNotHold(reason)), false),
            };
            self.step = step;
            self.has_more = goes_on;
            if !goes_on {
                break;
            }
        }
        let is_late = now >= self.deadline;
        let ended = match &self.step {
            Step::Leaving { standing, until, .. } => (is_late || now >= *until).then(|| standing.clone()),
            _ => self.late().filter(|_| is_late).map(Standing::DoesNotHold),
        };
        if let Some(standing) = ended {
            self.step = Step::Over(standing);
        }
        match &self.step {
            Step::Over(standing) => standing.clone(),
            _ => Standing::Pending,
        }
    }

    /// Waits until the probe can continue, or the deadline has passed.
    pub fn wait(&self) {
        let Some((descriptor, events)) = self.waits_for() else { return };
        let now = Instant::now();
        let left = self.due(now).saturating_duration_since(now);
        // A time that the system cannot represent means no time limit.
        let left = Timespec::try_from(left).ok();
        // If the wait is interrupted, the caller looks and waits again.
        let _ = poll(&mut [PollFd::from_borrowed_fd(descriptor, events)], left.as_ref());
    }

    /// Waits until the attempt is over.
    pub fn finish(mut self) -> Result<(), String> {
        loop {
            match self.advance(Instant::now()) {
                Standing::Pending => self.wait(),
                Standing::Holds => return Ok(()),
                Standing::DoesNotHold(reason) => return Err(reason),
            }
        }
    }

    /// The next step, and whether it can be tried at once.
    fn after(&self, step: Step<C>, now: Instant) -> Result<(Step<C>, bool), String> {
        match step {
            Step::Connecting { channel, request } => {
                if !is_writable(channel.descriptor()) {
                    return Ok((Step::Connecting { channel, request }, false));
                }
                channel.connection().established().map_err(|error| error.to_string())?;
                Ok((Step::Sending { channel, request, sent: 0 }, true))
            }
            Step::Sending { mut channel, request, sent } => {
                let more = channel.send(&request[sent..])?;
                let (sent, is_done) = match more {
                    Some(more) => (sent + more, sent + more == request.len()),
                    None => (sent, false),
                };
                if is_done {
                    let answer = Answer::awaited(&self.content);
                    return Ok((Step::Reading { channel, answer }, true));
                }
                Ok((Step::Sending { channel, request, sent }, more.is_some()))
            }
            Step::Reading { channel, answer } => reading(channel, answer, now),
            Step::Leaving { channel, standing, until, left } => Ok(leaving(channel, standing, until, left)),
            Step::Over(standing) => Ok((Step::Over(standing), false)),
        }
    }

    /// Why the check has failed at its deadline; `None` if the attempt is over.
    fn late(&self) -> Option<String> {
        // The timeout may have many digits, for example if it is the rest of a longer one.
        let seconds = (self.timeout.as_secs_f64() * 10.0).round() / 10.0;
        let within = format!("within {seconds} s");
        let what = match &self.step {
            Step::Connecting { .. } => "it did not accept".to_owned(),
            Step::Sending { channel, .. } => match channel.late(&within) {
                Some(whole) => return Some(whole),
                None => "it did not take the request".to_owned(),
            },
            Step::Reading { answer, .. } => answer.late(),
            Step::Leaving { .. } | Step::Over(_) => return None,
        };
        Some(format!("{what} {within}"))
    }
}

fn reading<C: Channel>(mut channel: C, mut answer: Answer, now: Instant) -> Result<(Step<C>, bool), String> {
    let mut piece = [0; PIECE];
    match channel.receive(&mut piece)? {
        None => Ok((Step::Reading { channel, answer }, false)),
        Some(0) => Err(answer.why_cut_off()),
        Some(count) => Ok(match answer.take(&piece[..count]) {
            None => (Step::Reading { channel, answer }, true),
            Some(judged) => {
                let standing = judged.map_or_else(Standing::DoesNotHold, |()| Standing::Holds);
                (Step::Leaving { channel, standing, until: now + LEAVE, left: REST }, true)
            }
        }),
    }
}

/// Reads and discards the rest of the answer. The result stays, however this ends.
fn leaving<C: Channel>(mut channel: C, standing: Standing, until: Instant, left: usize) -> (Step<C>, bool) {
    let mut piece = [0; PIECE];
    match channel.receive(&mut piece) {
        Ok(None) => (Step::Leaving { channel, standing, until, left }, false),
        Ok(Some(count)) if count > 0 && count < left => {
            (Step::Leaving { channel, standing, until, left: left - count }, true)
        }
        _ => (Step::Over(standing), false),
    }
}

/// If the body is examined, it must come in one piece, so version 1.0 of the protocol is used, which has no chunks.
fn request(get: &Get) -> Vec<u8> {
    let version = if get.content.is_empty() { "1.1" } else { "1.0" };
    let mut request = format!("GET {} HTTP/{version}\r\n", get.path);
    let usual = [("Host", "localhost"), ("Accept", "*/*"), ("Connection", "close")];
    let is_given = |name: &str| get.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
    let own = get.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in usual.chain(own) {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// Whether a connection has been established or refused.
fn is_writable(descriptor: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// Makes one attempt by plain HTTP and waits for the result.
pub fn ask(get: &Get, address: SocketAddr, timeout: Duration) -> Result<(), String> {
    Probe::begin(get, address, timeout, Instant::now()).finish()
}
