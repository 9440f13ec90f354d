//! The listening sockets of an app.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use formation::{FIRST_TYPE, Slot};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::balance::Balance;
use crate::holder;
use crate::ports::obstacle;
use crate::spec::Spec;
use crate::state::Statuses;

/// How many connections may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Sockets, by address.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Vec<Listening>);

/// A socket that listens, and its address.
pub(crate) type Listening = (SocketAddr, Arc<OwnedFd>);

impl Sockets {
    /// Sockets that listen already.
    pub(crate) fn of(sockets: Vec<(SocketAddr, OwnedFd)>) -> Self {
        Self(sockets.into_iter().map(|(address, socket)| (address, Arc::new(socket))).collect())
    }

    /// The same sockets, for instances that get copies of them.
    pub(crate) fn shared(&self) -> Vec<Listening> {
        self.0.clone()
    }

    /// Whether no socket is listened on.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is at this port.
    pub(crate) fn have_port(&self, port: u16) -> bool {
        self.0.iter().any(|(address, _)| address.port() == port)
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listening> {
        self.0.iter()
    }

    /// Listens on those of these addresses that are not listened on yet; whether there was any. Where that cannot be, `of_instance` may have the
    /// socket of an instance that listens there by itself.
    ///
    /// # Errors
    /// Why one cannot be listened on, for people. Then nothing has changed.
    pub(crate) fn add(
        &mut self,
        wanted: &[SocketAddr],
        mut of_instance: impl FnMut(SocketAddr) -> Option<OwnedFd>,
    ) -> Result<bool, String> {
        let is_new = |address: &&SocketAddr| self.0.iter().all(|(known, _)| known != *address);
        let new: Vec<Listening> = wanted
            .iter()
            .filter(is_new)
            .map(|address| {
                let socket = listen(*address, wanted);
                let socket = socket.or_else(|reason| of_instance(*address).ok_or(reason))?;
                Ok((*address, Arc::new(socket)))
            })
            .collect::<Result<_, String>>()?;
        let is_changed = !new.is_empty();
        self.0.extend(new);
        Ok(is_changed)
    }

    /// Closes those of other addresses; whether there was any.
    pub(crate) fn keep_only(&mut self, wanted: &[SocketAddr]) -> bool {
        let before = self.0.len();
        self.0.retain(|(address, _)| wanted.contains(address));
        self.0.len() < before
    }
}

/// Why the addresses of a spec could not be listened on; `None`: they could be, or the app has them. `earlier` is the spec that a
/// supervisor acts on. Where none lives at this moment, the holder or `ps-balance` may have the sockets for the next one.
pub fn refusal(spec: &Spec, earlier: Option<&Spec>, service: &Path) -> Option<String> {
    let known = earlier.map(|spec| spec.listen.as_slice()).unwrap_or_default();
    let new = spec.listen.iter().filter(|address| !known.contains(address));
    let refused = new.filter_map(|address| Some((address, listen(*address, &spec.listen).err()?)));
    let mut refused = refused.peekable();
    refused.peek()?;
    let kept = holder::copies(service);
    let is_kept = |address: &SocketAddr| kept.iter().any(|(kept, _)| kept == address);
    let balanced = Balance::listens_on(service);
    let is_balanced = |address: &SocketAddr| balanced.as_ref().is_none_or(|known| known.contains(address));
    let is_known = |address: &SocketAddr| {
        is_balanced(address)
            || is_kept(address)
            || earlier.is_some_and(|spec| has_instance(spec, service, address.port()))
    };
    refused.find(|(address, _)| !is_known(address)).map(|(_, reason)| reason)
}

/// Whether anybody could listen on an address at this moment. Unlike [`refusal`] this does not look for the process that has the port: that
/// means reading the descriptors of all processes, which takes minutes for a thousand ports.
pub fn can_listen(address: SocketAddr) -> bool {
    bound(address, false).is_ok()
}

/// Whether an instance that clients are led to has this port by itself, or was given the socket: the supervisor copies it.
fn has_instance(spec: &Spec, service: &Path, port: u16) -> bool {
    let statuses = Statuses::of(service);
    let has_it = |slot: &Slot| {
        let status = statuses.read(slot).ok().flatten();
        status.is_some_and(|status| {
            status.process.is_some() && (status.has_socket || status.port == Some(port))
        })
    };
    let first = FIRST_TYPE.parse().expect("it is the name of a type");
    spec.wanted_of(&first).iter().any(has_it)
}

/// Listens on an address. One of IPv6 takes connections of IPv4 as well, unless another one of `all` does.
fn listen(address: SocketAddr, all: &[SocketAddr]) -> Result<OwnedFd, String> {
    let is_same = |other: &&SocketAddr| other.is_ipv4() && other.port() == address.port();
    let is_only_v6 = all.iter().find(is_same).is_some();
    bound(address, is_only_v6).map_err(|errno| match errno {
        Errno::ADDRINUSE | Errno::ACCESS => format!("{address}: {}", obstacle(address.port())),
        Errno::ADDRNOTAVAIL => format!("{address}: this machine has no such address"),
        // The system does not know on which network a link-local address is meant.
        Errno::INVAL => format!("{address}: this address cannot be listened on by itself"),
        errno => format!("{address}: {}", std::io::Error::from(errno)),
    })
}

fn bound(address: SocketAddr, is_only_v6: bool) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, is_only_v6)?;
    }
    // Connections of an earlier socket of the same address may be in TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn free() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound")
    }

    #[test]
    fn what_is_listened_on_stays_and_one_that_somebody_holds_is_refused_with_the_holder() {
        let held = TcpListener::bind("127.0.0.1:0").expect("a port");
        let held = held.local_addr().map(|address| (held, address)).expect("bound");
        let (mut sockets, first) = (Sockets::default(), free());
        assert_eq!(sockets.add(&[first], |_| None), Ok(true));
        assert_eq!(sockets.add(&[first], |_| None), Ok(false));
        let refused = sockets.add(&[first, held.1], |_| None).expect_err("somebody holds it");
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
        assert_eq!(sockets.iter().count(), 1);
        TcpStream::connect(first).expect("it is listened on");
        assert!(sockets.keep_only(&[]) && !sockets.keep_only(&[]));
        assert!(TcpStream::connect(first).is_err());
    }

    #[test]
    fn of_two_addresses_with_one_port_each_takes_its_own_family() {
        let port = free().port();
        let both = [format!("[::]:{port}"), format!("0.0.0.0:{port}")];
        let both = both.map(|address| address.parse::<SocketAddr>().expect("an address"));
        if TcpListener::bind("[::1]:0").is_err() {
            return skipped::skip("this machine has no IPv6");
        }
        let mut sockets = Sockets::default();
        assert_eq!(sockets.add(&both, |_| None), Ok(true));
    }
}
