//! Bytes that were read from a socket already, and are to be read first by whoever reads it next.

use hyper::body::Bytes;
use tokio::io::ReadBuf;

#[derive(Debug)]
pub(crate) struct Begin(Bytes);

impl Begin {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Copies as many of them as there is room for, which stay: how many that is.
    pub(crate) fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let count = self.0.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        count
    }

    /// Gives as many of them as there is room for; `false`: there are none, and the socket is to be read.
    pub(crate) fn fill(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let count = self.0.len().min(buffer.remaining());
        buffer.put_slice(&self.0.split_to(count));
        count > 0
    }
}
