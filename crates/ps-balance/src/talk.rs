//! The transport of control connections: lines in both directions, without interpretation.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use balance::wire::Report;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::listen::Listener;

/// The longest line of a request, and the most that may wait to be read by the other side.
const MOST: usize = 4 << 20;
/// How many reports are kept for a supervisor while none is connected.
const KEPT: usize = 1_000;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The client that said hello last. It gets all reports.
    supervisor: Option<Arc<Control>>,
    /// What happened while there was none.
    kept: VecDeque<Vec<u8>>,
    all: Vec<Weak<Control>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Control {
    stream: UnixStream,
    talk: Mutex<Talk>,
}

/// What is on its way in both directions.
#[derive(Debug, Default)]
struct Talk {
    /// The beginning of a line.
    input: Vec<u8>,
    /// What has come with lines that were not carried out yet, in their order.
    fds: VecDeque<OwnedFd>,
    output: VecDeque<Line>,
    waker: Option<Waker>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    bytes: Vec<u8>,
    written: usize,
    /// Whether the listening sockets go with its first byte.
    has_listeners: bool,
}

/// What another program needs to go on with one of them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CarriedControl {
    input: Vec<u8>,
    output: Vec<Line>,
}

/// What it needs to know of all.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CarriedControls {
    /// Which of them is the supervisor.
    supervisor: Option<usize>,
    kept: VecDeque<Vec<u8>>,
}

impl Controls {
    /// Another one is there.
    pub(crate) fn add(&self, control: &Arc<Control>) {
        self.inner().all.push(Arc::downgrade(control));
    }

    /// Those that are there.
    pub(crate) fn all(&self) -> Vec<Arc<Control>> {
        self.inner().all.iter().filter_map(Weak::upgrade).collect()
    }

    /// What another program needs to go on with these.
    pub(crate) fn carry(&self, controls: &[Arc<Control>]) -> CarriedControls {
        let inner = self.inner();
        let is_supervisor =
            |it: &Arc<Control>| inner.supervisor.as_ref().is_some_and(|at| Arc::ptr_eq(at, it));
        let supervisor = controls.iter().position(is_supervisor);
        CarriedControls { supervisor, kept: inner.kept.clone() }
    }

    /// Goes on with these.
    pub(crate) fn carry_on(&self, carried: CarriedControls, controls: &[Arc<Control>]) {
        let mut inner = self.inner();
        inner.supervisor = carried.supervisor.and_then(|at| controls.get(at)).cloned();
        inner.kept = carried.kept;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a report to the supervisor, or keeps it for the next one if none is connected.
    pub(crate) fn tell(&self, report: &Report) {
        let line = line(report);
        let mut inner = self.inner();
        match &inner.supervisor {
            Some(supervisor) => supervisor.push(line, false),
            None if matches!(report, Report::Idle { .. }) => {}
            None => {
                inner.kept.push_back(line);
                if inner.kept.len() > KEPT {
                    inner.kept.pop_front();
                }
            }
        }
    }

    /// Whoever says hello last is the supervisor.
    pub(crate) fn is_supervised_by(&self, control: &Arc<Control>) {
        let mut inner = self.inner();
        inner.kept.drain(..).for_each(|line| control.push(line, false));
        inner.supervisor = Some(Arc::clone(control));
    }

    /// It is closed. Whether it was that of the supervisor.
    pub(crate) fn forget(&self, control: &Arc<Control>) -> bool {
        let mut inner = self.inner();
        inner.all.retain(|it| it.upgrade().is_some_and(|it| !Arc::ptr_eq(&it, control)));
        inner.supervisor.take_if(|it| Arc::ptr_eq(it, control)).is_some()
    }
}

impl Control {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, talk: Mutex::default() }
    }

    /// One that goes on where another program has stopped.
    pub(crate) fn carried(stream: UnixStream, carried: CarriedControl) -> Self {
        let output = carried.output.into();
        let talk = Talk { input: carried.input, output, ..Talk::default() };
        Self { stream, talk: Mutex::new(talk) }
    }

    /// What another program needs to go on.
    pub(crate) fn carry(&self) -> CarriedControl {
        let talk = self.talk();
        CarriedControl { input: talk.input.clone(), output: talk.output.iter().cloned().collect() }
    }

    /// The next `count` descriptors that have come, or as many as there are.
    pub(crate) fn take_descriptors(&self, count: usize) -> Vec<OwnedFd> {
        let mut talk = self.talk();
        let there = talk.fds.len();
        talk.fds.drain(..count.min(there)).collect()
    }

    /// Answers.
    pub(crate) fn say(&self, report: &Report) {
        self.push(line(report), false);
    }

    /// Answers with the listening sockets.
    pub(crate) fn hand_over_listeners(&self, report: &Report) {
        self.push(line(report), true);
    }

    fn push(&self, bytes: Vec<u8>, has_listeners: bool) {
        let mut talk = self.talk();
        talk.output.push_back(Line { bytes, written: 0, has_listeners });
        if let Some(waker) = talk.waker.take() {
            waker.wake();
        }
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next requests; none once the other side has closed, or has said more than it may.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<Vec<u8>>>>> {
        let mut bytes = [0; 4096];
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            let received =
                self.stream.try_io(Interest::READABLE, || passed_fds::receive(&self.stream, &mut bytes));
            match received {
                Ok(received) if received.bytes == 0 => return Poll::Ready(Ok(None)),
                Ok(received) => {
                    let mut talk = self.talk();
                    talk.input.extend_from_slice(&bytes[..received.bytes]);
                    talk.fds.extend(received.fds);
                    let lines = lines(&mut talk.input);
                    if !lines.is_empty() {
                        return Poll::Ready(Ok(Some(lines)));
                    }
                    if talk.input.len() > MOST || talk.fds.len() > passed_fds::MOST {
                        return Poll::Ready(Ok(None));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes what waits. Pending when nothing does any more. `listeners` go with the line that is to carry them.
    pub(crate) fn poll_write(
        &self,
        listeners: &[Arc<Listener>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut talk = self.talk();
        talk.waker = Some(cx.waker().clone());
        if talk.output.iter().map(|line| line.bytes.len()).sum::<usize>() > MOST {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        while let Some(line) = talk.output.front_mut() {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.write(listeners, line) {
                Ok(written) => line.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            if line.written == line.bytes.len() {
                talk.output.pop_front();
            }
        }
        Poll::Pending
    }

    fn write(&self, listeners: &[Arc<Listener>], line: &Line) -> io::Result<usize> {
        let listeners = listeners.iter().filter(|_| line.has_listeners && line.written == 0);
        let fds: Vec<_> = listeners.map(|listener| listener.socket.as_fd()).collect();
        self.stream
            .try_io(Interest::WRITABLE, || passed_fds::send(&self.stream, &line.bytes[line.written..], &fds))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Cuts the complete lines off.
fn lines(input: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let Some(end) = input.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let rest = input.split_off(end + 1);
    let whole = std::mem::replace(input, rest);
    whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn line(report: &Report) -> Vec<u8> {
    let mut line = serde_json::to_vec(report).expect("a report is made of numbers and strings");
    line.push(b'\n');
    line
}
