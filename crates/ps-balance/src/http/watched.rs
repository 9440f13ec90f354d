//! The socket of a client, watched while hyper serves it: hyper does not say itself when everything is written and read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::begin::Begin;
use crate::readable::Readable;

/// What was seen of a socket since hyper has it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Something was read since the last head.
    has_read: AtomicBool,
    /// The client does not take what is written.
    is_stuck: AtomicBool,
}

/// A socket whose reads and writes are noted.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    socket: S,
    /// What is read first.
    begin: Begin,
    seen: Arc<Seen>,
}

impl Seen {
    /// A head is there.
    pub(crate) fn has_head(&self) {
        self.has_read.store(false, Ordering::Relaxed);
    }

    /// Whether nothing of a next head was read, and everything is written.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.has_read.load(Ordering::Relaxed) && !self.is_stuck.load(Ordering::Relaxed)
    }
}

impl<S> Watched<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, begin: Begin::new(Bytes::new()), seen: Arc::default() }
    }

    pub(crate) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    /// The same, with bytes that were read from it already and are to be read again. They are copied: hyper's buffer goes, also where it is empty.
    pub(crate) fn beginning_with(self, begin: &[u8]) -> Self {
        Self { begin: Begin::new(Bytes::copy_from_slice(begin)), ..self }
    }
}

impl<S: Readable> Readable for Watched<S> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begin.is_empty() { self.socket.poll_readable(cx) } else { Poll::Ready(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.begin.fill(buffer) {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        }
        if buffer.filled().len() > before {
            self.seen.has_read.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Watched<S> {
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.seen.is_stuck.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.note(ended)
    }
}
