//! The event loop of one supervisor: it waits, passes on what happened, and writes down what came of it. What to do is
//! decided in `transition`, never here.

mod attached;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ps_scheduler::{Exit, Slot};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};

use crate::Error;
use crate::cgroup::CgroupRoot;
use crate::control::{Message, Request};
use crate::output::Output;
use crate::poll::{Poll, Source};
use crate::ports;
use crate::seat::Seat;
use crate::server::Server;
use crate::signals::Signals;
use crate::spec::Spec;
use crate::transition::Event;
use crate::tree::Tree;
use attached::Attached;
pub use attached::{Attachment, Cause, Change, Reaction, Waited};

/// What ends a supervisor.
const END_SIGNALS: [i32; 2] = [SIGTERM, SIGINT];
/// How often a tree that is meant to become empty is looked at, and an unsent answer is tried again.
const LOOK: Duration = Duration::from_millis(10);
/// How long an output whose log takes nothing is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The supervisor of one service directory.
#[derive(Debug)]
pub struct Supervisor {
    service: PathBuf,
    spec: Spec,
    seats: BTreeMap<Slot, Seat>,
    cgroups: Option<CgroupRoot>,
    server: Server,
    poll: Poll,
    children: UnixStream,
    signals: Signals,
    attached: Option<Attached>,
    is_ending: bool,
    paused: BTreeMap<Source, Instant>,
    _lock: File,
}

/// How long a supervisor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until somebody ends it.
    Told,
    /// Until somebody ends it, or nothing runs and nothing is about to.
    AtRest,
}

impl Supervisor {
    /// Takes charge of a service directory: its lock, its socket, and whatever an earlier supervisor left running.
    pub fn open(service: &Path) -> Result<Self, Error> {
        let spec = Spec::read(service)?;
        let mut supervisor = Self::take_charge(service, spec, None, &END_SIGNALS)?;
        supervisor.adopt()?;
        supervisor.apply()?;
        Ok(supervisor)
    }

    fn take_charge(
        service: &Path,
        spec: Spec,
        attached: Option<Attached>,
        signals: &[i32],
    ) -> Result<Self, Error> {
        let lock = lock(service)?;
        let fail = |error: std::io::Error| Error::io("watch", service, error);
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| fail(errno.into()))?;
        let children = signal_stream(&[SIGCHLD]).map_err(fail)?;
        let signals = Signals::watch(signals).map_err(fail)?;
        let server = Server::listen(service)?;
        let mut poll = Poll::new().map_err(|errno| fail(errno.into()))?;
        for (fd, source) in [
            (children.as_fd(), Source::ChildSignal),
            (signals.fd(), Source::Signal),
            (server.fd(), Source::Listener),
        ] {
            poll.watch(fd, source).map_err(|errno| fail(errno.into()))?;
        }
        Ok(Self {
            cgroups: CgroupRoot::find(service),
            service: service.to_owned(),
            spec,
            seats: BTreeMap::new(),
            server,
            poll,
            children,
            signals,
            attached,
            is_ending: false,
            paused: BTreeMap::new(),
            _lock: lock,
        })
    }

    /// Runs until it was asked to end (or, [`Until::AtRest`], has nothing to do) and nothing is left.
    pub fn run(&mut self, until: Until) -> Result<(), Error> {
        loop {
            self.publish();
            if self.is_over(until) {
                return Ok(());
            }
            self.turn()?;
        }
    }

    fn is_over(&mut self, until: Until) -> bool {
        let is_due = self.is_ending || until == Until::AtRest;
        let is_over = is_due && self.seats.values().all(Seat::is_at_rest);
        if is_over {
            self.server.flush();
        }
        is_over
    }

    /// Waits for something to happen, and sees to it.
    fn turn(&mut self) -> Result<(), Error> {
        let timeout = self.timeout();
        let ready = self.poll.wait(timeout).map_err(|errno| Error::io("watch", &self.service, errno))?;
        for source in ready {
            self.serve(&source);
        }
        self.look();
        Ok(())
    }

    /// Says that everything should end; [`Supervisor::run`] returns once it has.
    fn begin_end(&mut self) {
        self.is_ending = true;
        for seat in self.seats.values_mut() {
            seat.handle(Event::Stop, &self.spec);
        }
    }

    /// Makes the seats agree with the spec.
    fn apply(&mut self) -> Result<(), Error> {
        let wanted = self.spec.wanted();
        for slot in &wanted {
            self.seat(slot)?;
        }
        let spec = &self.spec;
        for seat in self.seats.values_mut() {
            let event = match wanted.contains(seat.slot()) {
                false => Event::Stop,
                // Also one that waits out its predecessor's failures: they are not its own.
                true if seat.revision() != spec.revision => Event::Restart,
                true => Event::Start,
            };
            seat.handle(event, spec);
        }
        Ok(())
    }

    /// Opens the seat of each instance that left a process behind.
    fn adopt(&mut self) -> Result<(), Error> {
        let entries = fs::read_dir(&self.service).map_err(|error| Error::io("read", &self.service, error))?;
        let slots = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Slot>().ok());
        for slot in slots {
            if crate::Status::read(&self.service.join(slot.to_string())).ok().flatten().is_some() {
                self.seat(&slot)?;
            }
        }
        Ok(())
    }

    /// The seat of a slot, opened if need be.
    fn seat(&mut self, slot: &Slot) -> Result<(), Error> {
        if self.seats.contains_key(slot) {
            return Ok(());
        }
        let directory = self.service.join(slot.to_string());
        let is_new = !directory.exists();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(|error| Error::io("create", &directory, error))?;
        let port = ports::kept(&directory);
        let marker = directory.to_string_lossy().into_owned();
        let cgroup = self.cgroups.as_ref().map(|root| root.group(slot));
        let tree = Tree::new(cgroup, marker, is_new);
        let output = self.output(slot, &directory)?;
        let mut seat = Seat::open(&self.service, slot.clone(), tree, port, output, &self.spec);
        let fail = |errno: Errno| Error::io("watch", &directory, errno);
        for (index, capture) in seat.captures().iter().enumerate() {
            self.poll.watch(capture.fd(), Source::Output(slot.clone(), index)).map_err(fail)?;
        }
        if let Some(pidfd) = seat.process().and_then(crate::process::Process::pidfd) {
            self.poll.watch(pidfd, Source::Adopted(slot.clone())).map_err(fail)?;
        }
        self.seats.insert(slot.clone(), seat);
        Ok(())
    }

    fn output(&mut self, slot: &Slot, directory: &Path) -> Result<Output, Error> {
        let Some(attached) = &mut self.attached else { return Output::logs(directory) };
        let has_stdin = attached.attachment.stdin.as_ref() == Some(slot);
        let (output, reader) =
            Output::pipe(has_stdin).map_err(|error| Error::io("connect", directory, error))?;
        attached.news.push(Change::Output { slot: slot.clone(), reader });
        Ok(output)
    }

    fn serve(&mut self, source: &Source) {
        match source {
            Source::ChildSignal => {
                drain(&self.children);
                self.reap();
            }
            Source::Signal => self.hear_signals(),
            Source::End(index) => self.reach_end(*index),
            Source::Listener => self.welcome(),
            Source::Client(id) => self.listen_to(*id),
            Source::Output(slot, index) => self.capture(slot, *index),
            Source::Adopted(slot) => {
                self.poll.forget(source);
                if let Some(seat) = self.seats.get_mut(slot) {
                    seat.reap(None, &self.spec);
                }
            }
        }
    }

    /// Reaps every child that ended: main processes are reported to their seats, strays just go.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            let is_main = |seat: &&mut Seat| seat.process().is_some_and(|process| process.pid() == pid);
            if let Some(seat) = self.seats.values_mut().find(is_main) {
                seat.reap(exit_of(status), &self.spec);
            }
        }
    }

    fn welcome(&mut self) {
        while let Some(accepted) = self.server.accept() {
            let Ok(id) = accepted else { continue };
            if let Some(fd) = self.server.client_fd(id) {
                let _ = self.poll.watch(fd, Source::Client(id));
            }
        }
    }

    fn listen_to(&mut self, id: u64) {
        for request in self.server.read(id).unwrap_or_default() {
            let answer = request.and_then(|request| self.answer(id, request));
            self.server.say(id, &Message::Reply { error: answer.err() });
        }
        if !self.server.has(id) {
            self.poll.forget(&Source::Client(id));
        }
    }

    fn answer(&mut self, id: u64, request: Request) -> Result<(), String> {
        match request {
            Request::Apply => {
                self.spec = Spec::read(&self.service).map_err(|error| error.to_string())?;
                self.apply().map_err(|error| error.to_string())?;
            }
            Request::Restart { slots } => {
                let wanted = self.spec.wanted();
                for slot in slots.iter().filter(|slot| wanted.contains(slot)) {
                    if let Some(seat) = self.seats.get_mut(slot) {
                        seat.handle(Event::Restart, &self.spec);
                    }
                }
            }
            Request::Watch => {
                for seat in self.seats.values() {
                    self.server.say(id, &Message::Instance(seat.status().clone()));
                }
                self.server.let_watch(id);
            }
            Request::End => {
                // The grace period is the one that holds now; a spec that cannot be read must not keep anything alive.
                self.spec = Spec::read(&self.service).unwrap_or_else(|_| self.spec.clone());
                self.end_for(Cause::Client);
            }
        }
        self.publish();
        Ok(())
    }

    fn capture(&mut self, slot: &Slot, index: usize) {
        let Some(seat) = self.seats.get_mut(slot) else { return };
        let capture = &mut seat.captures()[index];
        if capture.move_bytes().is_err() {
            // The log takes nothing: full disk. The FIFO fills, the process waits; we try again later, not at once.
            let source = Source::Output(slot.clone(), index);
            self.poll.forget(&source);
            let _ = self.poll.unwatch(capture.fd());
            self.paused.insert(source, Instant::now() + PAUSE);
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        for seat in self.seats.values_mut() {
            seat.look(now, &self.spec);
        }
        let over: Vec<Source> = self
            .paused
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(source, _)| source.clone())
            .collect();
        for source in over {
            self.paused.remove(&source);
            if let Source::Output(slot, index) = &source
                && let Some(seat) = self.seats.get_mut(slot)
            {
                let _ = self.poll.watch(seat.captures()[*index].fd(), source.clone());
            }
        }
    }

    /// Writes down and tells what changed; seats that are no longer part of the formation are given up.
    fn publish(&mut self) {
        let wanted = self.spec.wanted();
        let mut gone = Vec::new();
        for (slot, seat) in &mut self.seats {
            if let Some(status) = seat.take_change() {
                if let Some(attached) = &mut self.attached {
                    let (status, starts_in) = (Box::new(status.clone()), seat.starts_in());
                    attached.news.push(Change::Instance { status, starts_in });
                }
                self.server.tell(&Message::Instance(status));
            }
            if seat.is_at_rest() && !wanted.contains(slot) && !self.spec.stopped.contains(slot) {
                gone.push(slot.clone());
            }
        }
        for slot in gone {
            if let Some(seat) = self.seats.remove(&slot) {
                seat.forget();
            }
            for index in 0..2 {
                self.poll.forget(&Source::Output(slot.clone(), index));
            }
            self.server.tell(&Message::Gone { slot });
        }
    }

    fn timeout(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let unsent = self.server.flush().then(|| now + LOOK);
        let seats = self.seats.values().filter_map(|seat| seat.due(now, LOOK));
        let next = seats.chain(unsent).chain(self.paused.values().copied()).min()?;
        Some(next.saturating_duration_since(now))
    }
}

fn lock(service: &Path) -> Result<File, Error> {
    let path = service.join("lock");
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = open.map_err(|error| Error::io("open", &path, error))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(Error::AlreadySupervised { service: service.to_owned() }),
        Err(errno) => Err(Error::io("lock", &path, errno)),
    }
}

/// A stream that becomes readable when one of the signals arrives.
fn signal_stream(signals: &[i32]) -> std::io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

fn drain(mut stream: &UnixStream) {
    let mut buffer = [0; 256];
    while matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}
