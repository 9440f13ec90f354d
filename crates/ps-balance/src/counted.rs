//! The socket of a client. It counts its bytes, and first returns the bytes that were already read from it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::balancer::Balancer;
use crate::begin::Begin;
use crate::connection::Connection;
use crate::readable::Readable;

#[derive(Debug)]
pub(crate) struct Counted {
    socket: TcpStream,
    begin: Begin,
    connection: Arc<Connection>,
    balancer: Arc<Balancer>,
}

impl Counted {
    pub(crate) fn new(
        socket: TcpStream,
        begin: Vec<u8>,
        connection: Arc<Connection>,
        balancer: Arc<Balancer>,
    ) -> Self {
        Self { socket, begin: Begin::new(begin), connection, balancer }
    }

    /// The first bytes that are going to be read, which stay to be read: as many as there are, once there are any.
    pub(crate) async fn peek<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let count = match self.begin.copy_to(buffer) {
            0 => self.socket.peek(buffer).await?,
            count => count,
        };
        Ok(&buffer[..count])
    }

    /// Closed from now on, the other side sees a reset and no end.
    pub(crate) fn reset_when_closed(&self) {
        // If the option cannot be set, the connection is closed in the ordinary way.
        let _ = self.socket.set_zero_linger();
    }

    fn count_sent(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.connection.count(written as u64);
            self.balancer.bytes.sent.fetch_add(written as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.connection.is_amid() {
            self.reset_when_closed();
        }
    }
}

impl Readable for Counted {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begin.is_empty() { self.socket.poll_readable(cx) } else { Poll::Ready(()) }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.begin.fill(buffer) {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        }
        let read = (buffer.filled().len() - before) as u64;
        self.connection.count(read);
        self.balancer.bytes.received.fetch_add(read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.count_sent(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.count_sent(polled)
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
