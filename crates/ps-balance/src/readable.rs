//! Waiting for something to read without a buffer to read it into.

use std::task::{Context, Poll};

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What is read from, and can say beforehand whether a read may bring something.
pub(crate) trait Readable {
    /// Ready if there is something to read, or an end or an error. It may be ready although there is nothing.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Readable for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_read_ready(cx).map(drop)
    }
}

/// True once all that has come was taken out of the TLS session: the session waits for the socket only then.
impl<S: Readable> Readable for TlsStream<S> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.get_ref().0.poll_readable(cx)
    }
}
