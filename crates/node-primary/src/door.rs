//! A listening socket in the event loop.

use std::os::fd::OwnedFd;

use rustix::event::epoll;

use crate::lent::Offer;
use crate::place::Place;
use crate::socket::Socket;

/// A socket that accepts connections.
#[derive(Debug)]
pub(crate) struct Door {
    /// This field is dropped before the offer. So a process that does not find the offer finds the address free.
    pub(crate) socket: Socket,
    /// Set if the socket is shared with other primaries.
    pub(crate) offer: Option<Offer>,
    /// Its token in the epoll. It is odd; tokens of channels are even.
    pub(crate) number: u64,
    is_watched: bool,
}

impl Door {
    /// The socket is not watched yet.
    pub(crate) fn new(socket: Socket, offer: Option<Offer>, number: u64) -> Self {
        Self { socket, offer, number, is_watched: false }
    }

    /// Has the epoll report waiting connections, or stop reporting them.
    ///
    /// Among the primaries that wait at a shared socket, the kernel wakes one for each connection: the one that has waited longest. A
    /// primary that has taken a connection waits again at the end of that queue, because it does not wait while its worker is busy. So
    /// connections go to the primaries in turn.
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

    /// Closes the socket. The file of a Unix socket is removed, unless other primaries listen there.
    pub(crate) fn close(mut self, epoll: &OwnedFd, place: &Place) {
        self.watch(epoll, false);
        if self.offer.is_none() {
            self.socket.close(place);
        }
    }
}
