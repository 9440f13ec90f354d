//! A listening socket as the event loop sees it.

use std::os::fd::OwnedFd;

use rustix::event::epoll;

use crate::lent::Offer;
use crate::place::Place;
use crate::socket::Socket;

/// A socket that connections come in through.
#[derive(Debug)]
pub(crate) struct Door {
    /// Closed before the offer ends: who does not find the offer finds the place free.
    pub(crate) socket: Socket,
    /// It is shared with other primaries.
    pub(crate) offer: Option<Offer>,
    /// Odd, which no channel's number is.
    pub(crate) number: u64,
    is_watched: bool,
}

impl Door {
    /// Nobody waits for its connections yet.
    pub(crate) fn new(socket: Socket, offer: Option<Offer>, number: u64) -> Self {
        Self { socket, offer, number, is_watched: false }
    }

    /// Has the epoll say when a connection waits, or not.
    ///
    /// Of the primaries that wait at a shared socket, the kernel wakes one for each connection: the one that has waited longest. Who has
    /// taken one waits again at the end of that queue, because it is not in it while its worker is busy. So connections go round.
    pub(crate) fn watch(&mut self, epoll: &OwnedFd, is_watched: bool) {
        if self.is_watched == is_watched {
            return;
        }
        self.is_watched = is_watched;
        let fd = &*self.socket.fd;
        if is_watched {
            let alone =
                if self.offer.is_some() { epoll::EventFlags::EXCLUSIVE } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(self.number);
            let _ = epoll::add(epoll, fd, data, epoll::EventFlags::IN | alone);
        } else {
            let _ = epoll::delete(epoll, fd);
        }
    }

    /// Closes it. The file of a Unix socket goes with it, unless others listen there.
    pub(crate) fn close(mut self, epoll: &OwnedFd, place: &Place) {
        self.watch(epoll, false);
        if self.offer.is_none() {
            self.socket.close(place);
        }
    }
}
