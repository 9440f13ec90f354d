//! Passes open descriptors from one process to another through a Unix socket, together with some bytes. It does not
//! interpret either of them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The most descriptors of one message (`SCM_MAX_FD`).
pub const MOST: usize = 253;

/// The result of one receive call.
#[derive(Debug)]
pub struct Received {
    /// The number of bytes; 0 if the other end is closed.
    pub bytes: usize,
    /// The descriptors, closed on exec, in the order in which they were sent.
    pub fds: Vec<OwnedFd>,
}

/// Sends some bytes, at least one, and at most [`MOST`] descriptors with the first of them. Returns how many bytes were sent, which
/// may be fewer; the descriptors have then been sent.
///
/// # Errors
/// Nothing was sent: the other end is closed (no SIGPIPE is raised), or a nonblocking socket has no room.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if bytes.is_empty() || (!fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds))) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let bytes = [IoSlice::new(bytes)];
    Ok(rustix::io::retry_on_intr(|| sendmsg(&socket, &bytes, &mut control, SendFlags::NOSIGNAL))?)
}

/// Receives as many bytes as have arrived and fit, and the descriptors that were sent with them.
///
/// # Errors
/// The connection is broken, or a nonblocking socket has nothing yet. A process that has no descriptor left gets fewer descriptors
/// than were sent, which is no error.
pub fn receive(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let bytes = &mut [IoSliceMut::new(bytes)];
    let receive = || recvmsg(&socket, bytes, &mut control, RecvFlags::CMSG_CLOEXEC);
    let bytes = rustix::io::retry_on_intr(receive)?.bytes;
    let fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    Ok(Received { bytes, fds: fds.flatten().collect() })
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_listening_socket_is_the_same_one_on_the_other_side_with_what_waits_on_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut client = TcpStream::connect(address).expect("it waits");
        let (here, there) = UnixStream::pair().expect("a pair");
        assert_eq!(send(&here, b"x", &[listener.as_fd()]).expect("sent"), 1);
        drop(listener);
        let received = receive(&there, &mut [0; 8]).expect("received");
        let listener: TcpListener = received.fds.into_iter().next().expect("one was sent").into();
        let (mut accepted, _) = listener.accept().expect("it waited");
        accepted.write_all(b"hello").expect("written");
        drop(accepted);
        let mut text = String::new();
        client.read_to_string(&mut text).expect("read");
        assert_eq!(text, "hello");
    }

    #[test]
    fn descriptors_of_two_messages_never_come_together_and_their_number_is_bounded() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let many = vec![here.as_fd(); MOST];
        send(&here, b"many", &many).expect("sent");
        send(&here, b"one", &many[..1]).expect("sent");
        send(&here, b"none", &[]).expect("sent");
        assert!(send(&here, b"x", &vec![here.as_fd(); MOST + 1]).is_err());
        assert!(send(&here, b"", &many[..1]).is_err(), "descriptors travel with a byte");
        let mut seen = Vec::new();
        while seen.iter().map(|(bytes, _)| bytes).sum::<usize>() < 11 {
            let received = receive(&there, &mut [0; 64]).expect("received");
            seen.push((received.bytes, received.fds.len()));
        }
        assert_eq!(seen, [(4, MOST), (3, 1), (4, 0)]);
    }

    #[test]
    fn the_end_of_the_other_side_is_no_bytes_and_then_no_room_to_send() {
        let (here, there) = UnixStream::pair().expect("a pair");
        drop(there);
        assert_eq!(receive(&here, &mut [0; 8]).expect("its end").bytes, 0);
        assert_eq!(send(&here, b"x", &[]).expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
    }
}
