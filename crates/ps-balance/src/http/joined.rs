//! A socket that is written to by one plain call where what is written is small: a head and a short body are copied into one piece, which costs less than
//! the call that writes several.
//!
//! A backend may answer and close before it has read all of an upload. Writing then fails, although its answer waits to
//! be read. So with [`Joined::hearing_out`] what cannot be written is dropped until reading has come to an end too.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::readable::Readable;

/// Up to so many bytes are copied.
const SMALL: usize = 2048;

#[derive(Debug)]
pub(crate) struct Joined<S> {
    socket: S,
    /// Whether an answer may be read that came before writing failed.
    hears_out: bool,
}

impl<S> Joined<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, hears_out: false }
    }

    /// A socket whose other side may have answered before it refuses what is written.
    pub(crate) fn hearing_out(socket: S) -> Self {
        Self { socket, hears_out: true }
    }

    /// What is said of a write of `length` bytes: a failed one passes for done while there may be something to read.
    fn heard_out(&self, written: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Err(error)) if self.hears_out && is_closed(&error) => Poll::Ready(Ok(length)),
            written => written,
        }
    }
}

/// Whether the other side takes in no more.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl<S: Readable> Readable for Joined<S> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_readable(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Joined<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buffer));
        if read.is_err() || buffer.filled().len() == before {
            self.hears_out = false;
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Joined<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.heard_out(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = parts.iter().map(|part| part.len()).sum::<usize>();
        let socket = Pin::new(&mut self.socket);
        if let [only] = parts {
            let written = socket.poll_write(cx, only);
            return self.heard_out(written, all);
        }
        if all > SMALL {
            let written = socket.poll_write_vectored(cx, parts);
            return self.heard_out(written, all);
        }
        let (mut bytes, mut length) = ([0; SMALL], 0);
        for part in parts {
            bytes[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        let written = socket.poll_write(cx, &bytes[..length]);
        self.heard_out(written, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
