//! Finds out a client's address. A proxy in front of us sends it before everything else (the PROXY protocol, versions 1
//! and 2), and is trusted only if its own address is in one of the configured networks.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use balance::ProxyVersion;
use ppp::{PartialResult, v1, v2};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;

use crate::balancer::Balancer;
use crate::connection::{Connection, Stage};
use crate::counted::Counted;
use crate::manner::Manner;

/// How long a proxy may take to say for whom it speaks.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest line of version 1.
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 that is read. It may contain fields that are not used here.
const LONGEST: usize = 4096;
/// How version 2 begins.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins.
const PREFIX: &[u8] = b"PROXY ";

/// Who connected, and to what. The bytes before the first one of the client are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client: SocketAddr,
    /// Where the client connected to, if a proxy has said so.
    pub(crate) server: Option<SocketAddr>,
    /// How many bytes the header had.
    pub(crate) length: usize,
}

/// Finds out who the client is.
///
/// # Errors
/// The proxy says nothing, or something else than a header.
pub(crate) async fn origin(connection: &Connection, manner: &Manner) -> io::Result<Origin> {
    if !manner.believes(connection.peer.ip()) {
        return Ok(Origin { client: connection.peer, server: None, length: 0 });
    }
    let header = poll_fn(|cx| {
        loop {
            let mut stage = connection.stage();
            let Stage::Arriving { client, head } = &mut *stage else {
                return std::task::Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            if let Some(read) = read(head, connection.peer) {
                return std::task::Poll::Ready(read);
            }
            let mut bytes = [0; 512];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(client).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return std::task::Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            head.extend_from_slice(buffer.filled());
        }
    });
    timeout(PATIENCE, header).await?
}

/// Takes the socket of a connection, once it is known who the client is. None: it is refused, and over.
pub(crate) async fn take(
    balancer: &Arc<Balancer>,
    connection: &Arc<Connection>,
) -> Option<(Origin, Counted)> {
    let Ok(mut origin) = origin(connection, &balancer.manner()).await else {
        balancer.refuse();
        connection.reset();
        return None;
    };
    let (socket, rest) = connection.take_socket(origin.length)?;
    origin.server = origin.server.or_else(|| socket.local_addr().ok());
    Some((origin, Counted::new(socket, rest, Arc::clone(connection), Arc::clone(balancer))))
}

/// Reads the header at the beginning of what has come. None: more has to come.
fn read(head: &[u8], peer: SocketAddr) -> Option<io::Result<Origin>> {
    let is_begin = |of: &[u8]| of.starts_with(&head[..head.len().min(of.len())]);
    let read = if is_begin(PREFIX) {
        read_line(head)?
    } else if is_begin(SIGNATURE) {
        read_binary(head)?
    } else {
        None
    };
    let Some((addresses, length)) = read else { return Some(Err(io::ErrorKind::InvalidData.into())) };
    // Where it says nothing, it speaks for itself.
    let client = addresses.map_or(peer, |(client, _)| client);
    Some(Ok(Origin { client, server: addresses.map(|(_, server)| server), length }))
}

/// What a header says, and its length; none if it is wrong.
type Said = Option<(Option<(SocketAddr, SocketAddr)>, usize)>;

/// The parser takes a line without its end for a wrong one, so it is given whole lines alone.
fn read_line(head: &[u8]) -> Option<Said> {
    let Some(end) = head.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return (head.len() >= LONGEST_LINE).then_some(None);
    };
    let line = &head[..=end];
    Some(v1::Header::try_from(line).ok().map(|header| (of_line(&header), line.len())))
}

fn read_binary(head: &[u8]) -> Option<Said> {
    match v2::Header::try_from(head) {
        Ok(header) => Some(Some((of_binary(&header), header.len()))),
        Err(error) if error.is_incomplete() && head.len() < LONGEST => None,
        Err(_) => Some(None),
    }
}

fn of_line(header: &v1::Header<'_>) -> Option<(SocketAddr, SocketAddr)> {
    match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(it) => Some((
            (it.source_address, it.source_port).into(),
            (it.destination_address, it.destination_port).into(),
        )),
        v1::Addresses::Tcp6(it) => Some((
            (it.source_address, it.source_port).into(),
            (it.destination_address, it.destination_port).into(),
        )),
    }
}

fn of_binary(header: &v2::Header<'_>) -> Option<(SocketAddr, SocketAddr)> {
    match (header.command, header.addresses) {
        (v2::Command::Local, _) | (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
        (v2::Command::Proxy, v2::Addresses::IPv4(it)) => Some((
            (it.source_address, it.source_port).into(),
            (it.destination_address, it.destination_port).into(),
        )),
        (v2::Command::Proxy, v2::Addresses::IPv6(it)) => Some((
            (it.source_address, it.source_port).into(),
            (it.destination_address, it.destination_port).into(),
        )),
    }
}

impl Origin {
    /// The first bytes for the backend: our own header, if it is to get one, and what the client has sent after the
    /// header of its proxy.
    pub(crate) fn greeting(
        &self,
        connection: &Connection,
        version: Option<ProxyVersion>,
    ) -> io::Result<Vec<u8>> {
        let stage = connection.stage();
        let Stage::Arriving { client, head } = &*stage else { return Ok(Vec::new()) };
        let mut greeting = match version {
            None => Vec::new(),
            Some(version) => {
                let server = self.server.map_or_else(|| client.local_addr(), Ok)?;
                header(version, self.client, server)?
            }
        };
        greeting.extend_from_slice(&head[self.length..]);
        Ok(greeting)
    }
}

/// A PROXY header made by this program.
pub(crate) fn header(version: ProxyVersion, client: SocketAddr, server: SocketAddr) -> io::Result<Vec<u8>> {
    match version {
        ProxyVersion::V1 => Ok(v1::Addresses::from((client, server)).to_string().into_bytes()),
        ProxyVersion::V2 => {
            let command = v2::Version::Two | v2::Command::Proxy;
            v2::Builder::with_addresses(command, v2::Protocol::Stream, (client, server)).build()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::SocketAddr;

    use balance::ProxyVersion;

    use super::{header, read};

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_header_is_read_whole_wherever_it_is_cut_and_what_follows_is_left() {
        let (peer, client) = (address("10.0.0.1:9"), address("192.0.2.7:4711"));
        let server = address("198.51.100.1:443");
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            let header = header(version, client, server).expect("a header");
            for cut in 0..header.len() {
                assert!(read(&header[..cut], peer).is_none(), "{version:?}, {cut} bytes");
            }
            let followed = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let origin = read(&followed, peer).expect("it is whole").expect("it is one");
            assert_eq!((origin.client, origin.server, origin.length), (client, Some(server), header.len()));
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_once_and_what_never_ends_is_too() {
        let peer = address("10.0.0.1:9");
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in
            [b"GET / HTTP/1.1\r\n".as_slice(), b"\r\n\r\n\0\r\nQUIX\n", b"PROXY TCP4 1 2\r\n", &endless]
        {
            let refused = read(bytes, peer).expect("it is decided").expect_err("it is none");
            assert_eq!(refused.kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_or_for_nobody_known_is_the_client() {
        let peer = address("10.0.0.1:9");
        let local = [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x20, 0, 0, 0]].concat();
        for bytes in [b"PROXY UNKNOWN\r\n".as_slice(), &local] {
            let origin = read(bytes, peer).expect("it is whole").expect("it is one");
            assert_eq!((origin.client, origin.server), (peer, None));
        }
    }
}
