//! A connection of which only a limited number of bytes is read, so that a faulty server on the socket cannot fill our
//! memory within a deadline.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// The most bytes of an answer: more than the list of 20,000 containers takes, or that of the tasks of a large swarm.
pub(crate) const MOST: usize = 64 << 20;
/// The paths of answers that are passed on piece by piece, and so may have any length.
const IN_PIECES: [&str; 8] =
    ["/logs", "/events", "/archive", "/attach", "/images/create", "/build", "/start", "/push"];

/// A connection, and how many bytes may still be read from it.
pub(crate) struct Bounded {
    stream: UnixStream,
    left: usize,
}

impl Bounded {
    /// The connection for a request to this path.
    pub(crate) fn new(stream: UnixStream, path: &str) -> Self {
        let is_in_pieces = IN_PIECES.iter().any(|end| path.ends_with(end));
        Self { stream, left: if is_in_pieces { usize::MAX } else { MOST } }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            let reason = format!("the answer is longer than {} MiB", MOST >> 20);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.left = this.left.saturating_sub(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
