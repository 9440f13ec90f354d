//! The cluster with its descriptors: channels, sockets, and one epoll for all of them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use serde_json::Value;

use crate::channel::{Channel, Heard};
use crate::cluster::{Act, Cluster};
use crate::door::Door;
use crate::event::{Event, Oddity};
use crate::lent::Lenders;
use crate::place::{Place, Target};
use crate::socket::Socket;
use crate::wire::{self, Handle, Query, Said};
use crate::worker::{Id, Phase};

/// How many connections of a place are accepted before the other places get their turn.
const AT_ONCE: usize = 64;
/// The pause before connections are accepted again after descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);
/// The tokens of the timer and of descriptors from outside in epoll. Both are odd.
const TIMER: u64 = u64::MAX;
const OTHER: u64 = u64::MAX - 2;

/// How workers get connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One by one, in turn (`SCHED_RR`).
    RoundRobin,
    /// Workers have the sockets themselves, and the kernel chooses a worker (`SCHED_NONE`).
    Sockets,
}

/// The primary of one app: its sockets, and its workers.
#[derive(Debug)]
pub struct Primary {
    epoll: OwnedFd,
    timer: OwnedFd,
    cluster: Cluster<Rc<OwnedFd>>,
    channels: BTreeMap<Id, Channel>,
    doors: BTreeMap<Place, Door>,
    next_door: u64,
    /// The addresses that are bound in place of ports that workers ask for.
    moved: BTreeMap<u16, Target>,
    /// The directory in which sockets are shared with other primaries.
    lenders: Option<Lenders>,
    /// Whether no descriptor was left; the timer then says when to try again.
    rests: bool,
    events: Vec<Event>,
}

/// The worker does not read, and its queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Primary {
    /// A primary without workers and sockets.
    ///
    /// # Errors
    /// The process has no descriptors left.
    pub fn new(sharing: Sharing) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        let cluster = Cluster::new(sharing == Sharing::Sockets);
        let (channels, doors, moved, events) = Default::default();
        let (next_door, lenders, rests) = (0, None, false);
        Ok(Self { epoll, timer, cluster, channels, doors, next_door, moved, lenders, rests, events })
    }

    /// Binds another address for workers that ask for TCP connections at this port from now on. They are told the port that they asked for.
    pub fn move_port(&mut self, port: u16, to: Target) {
        self.moved.insert(port, to);
    }

    /// Shares sockets from now on with all primaries of this user that use the same directory, which is created if it does not exist. If
    /// one of them listens on an address, all that ask for the address listen there, and connections go to them in turn. A free port (0) is
    /// not shared.
    ///
    /// The owner must then wait with [`turn_within`](Self::turn_within): the kernel chooses among the threads that wait there, and does not
    /// know of one that polls the descriptor.
    ///
    /// # Errors
    /// The directory cannot be made, or other users may write into it.
    pub fn share_in(&mut self, directory: &Path) -> io::Result<()> {
        self.lenders = Some(Lenders::open(directory)?);
        Ok(())
    }

    /// Has [`turn_within`](Self::turn_within) also return when this descriptor can be read.
    ///
    /// # Errors
    /// The descriptor cannot be added to the epoll.
    pub fn wait_for(&self, other: impl AsFd) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, other, epoll::EventData::new_u64(OTHER), epoll::EventFlags::IN)?)
    }

    /// Adds a worker, with its number and the primary's end of its [channel](crate::channel_ends). The worker gets connections once it
    /// listens and is admitted.
    ///
    /// # Errors
    /// The descriptor cannot be added to the epoll.
    pub fn add(&mut self, id: Id, channel: OwnedFd, is_admitted: bool) -> io::Result<()> {
        let channel = Channel::new(channel)?;
        epoll::add(&self.epoll, channel.fd(), epoll::EventData::new_u64(id << 1), epoll::EventFlags::IN)?;
        self.channels.insert(id, channel);
        self.cluster.join(id, is_admitted);
        Ok(())
    }

    /// Admits a worker, so that it may get connections.
    pub fn admit(&mut self, id: Id) {
        let acts = self.cluster.admit(id);
        self.carry_out(acts);
        self.take_in();
    }

    /// Tells a worker to disconnect. It gets no more connections, and disconnects when its present ones have ended:
    /// [`Event::Ended`].
    pub fn leave(&mut self, id: Id) {
        // The kernel may have woken this primary alone for a connection that waits at a shared socket now.
        self.take_in();
        let acts = self.cluster.leave(id);
        self.carry_out(acts);
        self.take_in();
    }

    /// Removes a worker whose process has ended. Its last messages are still read; a connection that it had not accepted goes to another
    /// worker.
    pub fn remove(&mut self, id: Id) -> Vec<Event> {
        self.hear(id);
        self.end(id);
        self.take_in();
        std::mem::take(&mut self.events)
    }

    /// Sends a message to the app, which gets it with `process.on('message')`.
    ///
    /// # Errors
    /// The worker does not read. If there is no such worker, nothing is sent, and there is no error.
    pub fn send(&mut self, id: Id, message: &Value) -> Result<(), Full> {
        let Some(channel) = self.channels.get_mut(&id) else { return Ok(()) };
        if !channel.has_room(message.to_string().len()) {
            return Err(Full);
        }
        channel.send(message, None);
        self.watch_channel(id);
        Ok(())
    }

    /// Closes the sockets at which no worker listens. The socket of a worker otherwise stays open when the worker ends, so that clients
    /// wait for the next one.
    pub fn close_unused(&mut self) {
        let acts = self.cluster.shut_unused();
        self.carry_out(acts);
    }

    /// The phase of a worker; `None` if there is no such worker.
    pub fn phase(&self, id: Id) -> Option<Phase> {
        self.cluster.worker(id).map(|worker| worker.phase)
    }

    /// How many connections a worker has taken.
    pub fn taken(&self, id: Id) -> u64 {
        self.cluster.worker(id).map_or(0, |worker| worker.taken)
    }

    /// The places with an open socket.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.cluster.places()
    }

    /// Handles everything that needs no waiting. Must be called when [the descriptor](AsFd) can be read.
    ///
    /// # Errors
    /// The epoll cannot be read.
    pub fn turn(&mut self) -> io::Result<Vec<Event>> {
        self.turn_within(Some(Duration::ZERO))
    }

    /// As [`Primary::turn`], but waits until there is something to do, or until the time has passed.
    ///
    /// # Errors
    /// The epoll cannot be waited for.
    pub fn turn_within(&mut self, limit: Option<Duration>) -> io::Result<Vec<Event>> {
        let mut ready = Vec::with_capacity(64);
        // A time that the system cannot represent means no limit.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(errno) => return Err(errno.into()),
        }
        for ready in ready {
            match ready.data.u64() {
                TIMER => self.try_again(),
                // Waiting clients are handled below, once it is known which workers are free.
                number if number & 1 == 1 => (),
                number => self.hear(number >> 1),
            }
        }
        self.take_in();
        Ok(std::mem::take(&mut self.events))
    }

    fn try_again(&mut self) {
        let _ = rustix::io::read(&self.timer, &mut [0; 8]);
        self.rests = false;
    }

    fn hear(&mut self, id: Id) {
        let heard = self.channels.get_mut(&id).map(Channel::receive).unwrap_or_default();
        for heard in heard {
            match heard {
                Heard::End => self.end(id),
                Heard::TooLong(bytes) => self.events.push(Event::Odd(id, Oddity::TooLong(bytes))),
                Heard::Said(said, handle, line) => {
                    let before = self.phase(id);
                    match &said {
                        Said::App | Said::Carried(_) => {
                            self.events.push(Event::message(id, &said, line, handle));
                        }
                        Said::Garbage => self.events.push(Event::Odd(id, Oddity::Garbage)),
                        _ => (),
                    }
                    let acts = self.cluster.hear(id, said);
                    self.carry_out(acts);
                    match (before, self.phase(id)) {
                        (Some(Phase::Starting), Some(Phase::Listening)) => {
                            self.events.push(Event::Listens(id));
                        }
                        (Some(Phase::Starting | Phase::Listening), Some(Phase::Leaving)) => {
                            self.events.push(Event::Leaves(id));
                        }
                        _ => (),
                    }
                }
            }
        }
        self.watch_channel(id);
    }

    fn end(&mut self, id: Id) {
        if let Some(channel) = self.channels.remove(&id) {
            let _ = epoll::delete(&self.epoll, channel.fd());
            let acts = self.cluster.gone(id);
            self.events.push(Event::Ended(id));
            self.carry_out(acts);
        }
    }

    fn carry_out(&mut self, acts: Vec<Act<Rc<OwnedFd>>>) {
        let mut acts: VecDeque<_> = acts.into();
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Tell(id, message) => self.tell(id, &message, None),
                Act::Hand(id, message, connection) => {
                    self.tell(id, &wire::with_handle(Handle::Stream, &message), Some(connection));
                }
                Act::Open(id, query, place) => acts.extend(self.open(id, &query, &place)),
                Act::Share(id, message, place) => {
                    let kind =
                        if matches!(place, Place::Udp(_)) { Handle::Datagrams } else { Handle::Stream };
                    let socket = self.doors.get(&place).map(|door| door.socket.fd.clone());
                    self.tell(id, &wire::with_handle(kind, &message), socket);
                }
                Act::Shut(place) => self.shut(&place),
                Act::Close(connection) => {
                    drop(connection);
                    self.events.push(Event::Refused);
                }
            }
        }
    }

    fn tell(&mut self, id: Id, message: &Value, handle: Option<Rc<OwnedFd>>) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.send(message, handle);
            self.watch_channel(id);
        }
    }

    fn watch_channel(&mut self, id: Id) {
        let Some(channel) = self.channels.get(&id) else { return };
        let out = if channel.is_held_up() { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
        let data = epoll::EventData::new_u64(id << 1);
        let _ = epoll::modify(&self.epoll, channel.fd(), data, epoll::EventFlags::IN | out);
    }

    fn open(&mut self, id: Id, query: &Query, place: &Place) -> Vec<Act<Rc<OwnedFd>>> {
        let mut acts = Vec::new();
        if let Some(door) = self.doors.get(place)
            && !door.socket.is_reached(place)
        {
            // Waiting clients of the old socket are not lost; new ones use the file that is made now.
            while let Ok(connection) = door.socket.accept() {
                acts.extend(self.cluster.accepted(place, Rc::new(connection)));
            }
            self.shut(place);
        }
        let opened = match self.doors.get(place) {
            Some(door) => Ok(door.socket.name),
            None => self.listen(place, query.backlog),
        };
        if let Err(why) = opened {
            self.events.push(Event::CannotListen { worker: id, place: place.clone(), why: why.into() });
        }
        acts.extend(self.cluster.opened(id, query, opened));
        acts
    }

    fn listen(&mut self, place: &Place, backlog: i32) -> Result<Option<SocketAddr>, Errno> {
        let bound = place.moved(&self.moved);
        let (mut socket, offer) = match &self.lenders {
            Some(lenders) if !bound.is_any_free() => {
                lenders.socket(&bound, backlog).map(|(socket, offer)| (socket, Some(offer)))?
            }
            _ => (Socket::open(&bound, backlog)?, None),
        };
        if let Place::Tcp(port) = place
            && port.number != 0
        {
            socket.name = Some(port.address());
        }
        let name = socket.name;
        self.next_door += 1;
        self.doors.insert(place.clone(), Door::new(socket, offer, self.next_door << 1 | 1));
        Ok(name)
    }

    fn shut(&mut self, place: &Place) {
        if let Some(door) = self.doors.remove(place) {
            door.close(&self.epoll, place);
        }
    }

    /// Accepts connections while a worker is free. Otherwise they wait in the kernel's queue, and the socket is not
    /// watched.
    fn take_in(&mut self) {
        let places: Vec<Place> = self.doors.keys().cloned().collect();
        for place in places {
            for _ in 0..AT_ONCE {
                if self.rests || !self.cluster.wants(&place) {
                    break;
                }
                match self.doors.get(&place).map(|door| door.socket.accept()) {
                    Some(Ok(connection)) => {
                        let acts = self.cluster.accepted(&place, Rc::new(connection));
                        self.carry_out(acts);
                    }
                    Some(Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => self.rest(),
                    Some(Err(Errno::CONNABORTED)) => (),
                    Some(Err(_)) | None => break,
                }
            }
            let is_wanted = !self.rests && self.cluster.wants(&place);
            if let Some(door) = self.doors.get_mut(&place) {
                door.watch(&self.epoll, is_wanted);
            }
        }
    }

    fn rest(&mut self) {
        self.rests = true;
        let once = Timespec { tv_sec: 0, tv_nsec: PAUSE.subsec_nanos().into() };
        let until = Itimerspec { it_interval: Timespec::default(), it_value: once };
        let _ = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &until);
    }
}

/// Readable when [`Primary::turn`] has something to do.
impl AsFd for Primary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
