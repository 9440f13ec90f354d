//! The cluster with its descriptors: channels, sockets, and one epoll that has them all.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use serde_json::Value;

use crate::channel::{Channel, Heard};
use crate::cluster::{Act, Cluster};
use crate::event::{Event, Oddity};
use crate::place::{Place, Target};
use crate::socket::Socket;
use crate::wire::{self, Handle, Query, Said};
use crate::worker::{Id, Phase};

/// So many connections of a place are taken in before others are looked at.
const AT_ONCE: usize = 64;
/// The pause before connections are taken in again once no descriptor was left for one.
const PAUSE: Duration = Duration::from_millis(100);
/// What epoll says of the timer.
const TIMER: u64 = u64::MAX;

/// How workers get connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One by one, in turns (`SCHED_RR`).
    RoundRobin,
    /// They have the sockets themselves, and the kernel chooses (`SCHED_NONE`).
    Sockets,
}

/// The primary of one app: what it listens on, and its workers.
#[derive(Debug)]
pub struct Primary {
    epoll: OwnedFd,
    timer: OwnedFd,
    cluster: Cluster<Rc<OwnedFd>>,
    channels: BTreeMap<Id, Channel>,
    doors: BTreeMap<Place, Door>,
    next_door: u64,
    /// What is bound in place of a port that a worker asks for.
    moved: BTreeMap<u16, Target>,
    /// No descriptor was left; the timer says when to try again.
    rests: bool,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Door {
    socket: Socket,
    number: u64,
    is_watched: bool,
}

/// The worker does not read, and as much as may wait for it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Primary {
    /// Without workers, and listening nowhere.
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
        Ok(Self { epoll, timer, cluster, channels, doors, next_door: 0, moved, rests: false, events })
    }

    /// From now on, workers that ask for TCP connections of this port get those of another address, and are told that it is the one that they
    /// have asked for.
    pub fn move_port(&mut self, port: u16, to: Target) {
        self.moved.insert(port, to);
    }

    /// Takes in a worker, by its number and our end of its [channel](crate::channel_ends). It gets connections once it listens and is
    /// admitted.
    ///
    /// # Errors
    /// The descriptor cannot be waited for.
    pub fn add(&mut self, id: Id, channel: OwnedFd, is_admitted: bool) -> io::Result<()> {
        let channel = Channel::new(channel)?;
        epoll::add(&self.epoll, channel.fd(), epoll::EventData::new_u64(id << 1), epoll::EventFlags::IN)?;
        self.channels.insert(id, channel);
        self.cluster.join(id, is_admitted);
        Ok(())
    }

    /// A worker may get connections.
    pub fn admit(&mut self, id: Id) {
        let acts = self.cluster.admit(id);
        self.carry_out(acts);
        self.take_in();
    }

    /// A worker gets no more connections, and is told to disconnect, which it does when those that it has have ended:
    /// [`Event::Ended`].
    pub fn leave(&mut self, id: Id) {
        let acts = self.cluster.leave(id);
        self.carry_out(acts);
    }

    /// A worker's process has ended. What it has still said is heard; a connection that it had not taken goes to another worker.
    pub fn remove(&mut self, id: Id) -> Vec<Event> {
        self.hear(id);
        self.end(id);
        self.take_in();
        std::mem::take(&mut self.events)
    }

    /// Sends a message of the app, which gets it as `process.on('message')`.
    ///
    /// # Errors
    /// The worker does not read. There is no such worker: nothing is said.
    pub fn send(&mut self, id: Id, message: &Value) -> Result<(), Full> {
        let Some(channel) = self.channels.get_mut(&id) else { return Ok(()) };
        if !channel.has_room(message.to_string().len()) {
            return Err(Full);
        }
        channel.send(message, None);
        self.watch_channel(id);
        Ok(())
    }

    /// Closes what no worker listens on. What a worker has listened on stays open beyond its end, so that clients wait for the next one.
    pub fn close_unused(&mut self) {
        let acts = self.cluster.shut_unused();
        self.carry_out(acts);
    }

    /// What a worker does; none: there is no such worker.
    pub fn phase(&self, id: Id) -> Option<Phase> {
        self.cluster.worker(id).map(|worker| worker.phase)
    }

    /// How many connections a worker has taken.
    pub fn taken(&self, id: Id) -> u64 {
        self.cluster.worker(id).map_or(0, |worker| worker.taken)
    }

    /// What is listened on.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.cluster.places()
    }

    /// Does what can be done without waiting. To be called when [the descriptor](AsFd) can be read.
    ///
    /// # Errors
    /// The system does not say what is ready.
    pub fn turn(&mut self) -> io::Result<Vec<Event>> {
        let mut ready = Vec::with_capacity(64);
        let nothing = Timespec::default();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&nothing)) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(errno) => return Err(errno.into()),
        }
        for ready in ready {
            match ready.data.u64() {
                TIMER => self.try_again(),
                // Which places have clients is looked at below, once it is known which workers are free.
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
            // Its clients are not lost; new ones come to the file that is made now.
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
        let mut socket = Socket::open(&place.moved(&self.moved), backlog)?;
        if let Place::Tcp(port) = place
            && port.number != 0
        {
            socket.name = Some(port.address());
        }
        let name = socket.name;
        self.next_door += 1;
        let number = self.next_door;
        let data = epoll::EventData::new_u64(number << 1 | 1);
        epoll::add(&self.epoll, &*socket.fd, data, epoll::EventFlags::empty())?;
        self.doors.insert(place.clone(), Door { socket, number, is_watched: false });
        Ok(name)
    }

    fn shut(&mut self, place: &Place) {
        if let Some(door) = self.doors.remove(place) {
            let _ = epoll::delete(&self.epoll, &*door.socket.fd);
            door.socket.close(place);
        }
    }

    /// Takes in connections as long as a worker is free. While none is, they wait in the queue of the kernel, and nobody looks at the socket.
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
            self.watch_door(&place, is_wanted);
        }
    }

    fn watch_door(&mut self, place: &Place, is_watched: bool) {
        let Some(door) = self.doors.get_mut(place) else { return };
        if door.is_watched != is_watched {
            door.is_watched = is_watched;
            let flags = if is_watched { epoll::EventFlags::IN } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(door.number << 1 | 1);
            let _ = epoll::modify(&self.epoll, &*door.socket.fd, data, flags);
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
