//! The streams of a process in a container, both ways over one connection. Input arrives unchanged, and so does its
//! end. Output has a header of eight bytes for each piece, unless the process has a terminal: then there is one stream
//! without headers.

use std::path::Path;
use std::time::Duration;

use bollard::errors::Error;
use formation::Stream;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::transport;

/// How many bytes are read at once.
const PIECE: usize = 1 << 16;
const HEAD: usize = 8;
/// The number of stderr in the header of a piece.
const STDERR: u8 = 2;

/// The input of a process.
#[derive(Debug)]
pub struct Input(OwnedWriteHalf);

/// The output of a process.
#[derive(Debug)]
pub struct Output {
    read: OwnedReadHalf,
    /// Bytes that were read and not returned yet.
    buffer: Vec<u8>,
    frames: Option<Frames>,
}

/// The position of the reader in the stream of pieces with headers.
#[derive(Clone, Copy, Debug, Default)]
struct Frames {
    /// How many bytes of the current piece are still to come.
    left: usize,
    is_stderr: bool,
}

impl Input {
    /// Writes all bytes.
    ///
    /// # Errors
    /// The process does not read any more, or the engine is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Ends the input: the process reads the end of its input.
    pub async fn close(&mut self) {
        // If the connection is gone, so is the process's input.
        let _ = self.0.shutdown().await;
    }
}

impl Output {
    /// The next piece, with the stream that it was written to; `None` at the end. Output to a terminal counts as
    /// stdout.
    ///
    /// # Errors
    /// The connection broke off.
    pub async fn next(&mut self) -> std::io::Result<Option<(Stream, Vec<u8>)>> {
        loop {
            if let Some(piece) = self.take() {
                return Ok(Some(piece));
            }
            let mut more = vec![0; PIECE];
            let read = self.read.read(&mut more).await?;
            if read == 0 {
                return Ok(None);
            }
            self.buffer.extend_from_slice(&more[..read]);
        }
    }

    /// Takes a piece of the bytes that were read.
    fn take(&mut self) -> Option<(Stream, Vec<u8>)> {
        let Some(frames) = &mut self.frames else {
            let bytes = std::mem::take(&mut self.buffer);
            return (!bytes.is_empty()).then_some((Stream::Stdout, bytes));
        };
        frames.take(&mut self.buffer)
    }
}

impl Frames {
    fn take(&mut self, buffer: &mut Vec<u8>) -> Option<(Stream, Vec<u8>)> {
        while self.left == 0 {
            let head: [u8; HEAD] = buffer.get(..HEAD)?.try_into().expect("a head has that many bytes");
            buffer.drain(..HEAD);
            self.is_stderr = head[0] == STDERR;
            self.left = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        }
        let length = self.left.min(buffer.len());
        if length == 0 {
            return None;
        }
        self.left -= length;
        let bytes = buffer.drain(..length).collect();
        Some((if self.is_stderr { Stream::Stderr } else { Stream::Stdout }, bytes))
    }
}

/// Asks the engine for the streams at `path`, within `deadline`.
pub(crate) async fn attach(
    socket: &Path,
    path: &str,
    body: Option<&Value>,
    is_terminal: bool,
    deadline: Duration,
) -> Result<(Input, Output), Error> {
    let asked = tokio::time::timeout(deadline, ask(socket, path, body)).await;
    let (stream, buffer) = asked.map_err(|_| Error::RequestTimeoutError)??;
    let (read, write) = stream.into_split();
    let frames = (!is_terminal).then(Frames::default);
    Ok((Input(write), Output { read, buffer, frames }))
}

async fn ask(socket: &Path, path: &str, body: Option<&Value>) -> Result<(UnixStream, Vec<u8>), Error> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::post(path)
        .header(HOST, "engine")
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .body(bollard::body_full(Bytes::from(body)))?;
    let stream = transport::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await?;
    let status = response.status();
    // An engine answers a request to upgrade with 101, an old one with 200.
    if status.as_u16() != 101 && !status.is_success() {
        return Err(transport::refusal(status, &transport::json(response).await?));
    }
    let upgraded = hyper::upgrade::on(response).await?;
    let parts = upgraded.downcast::<TokioIo<UnixStream>>();
    let parts = parts.map_err(|_| std::io::Error::other("the connection is of another kind"))?;
    Ok((parts.io.into_inner(), parts.read_buf.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_to_the_byte_wherever_the_stream_was_cut() {
        let mut whole = Vec::new();
        for (number, text) in [(1_u8, "one\n"), (2, "two"), (1, ""), (1, "\0three")] {
            whole.extend([number, 0, 0, 0]);
            whole.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
            whole.extend(text.bytes());
        }
        for size in 1..=whole.len() {
            let (mut frames, mut buffer) = (Frames::default(), Vec::new());
            let (mut out, mut err) = (Vec::new(), Vec::new());
            for piece in whole.chunks(size) {
                buffer.extend(piece);
                while let Some((stream, bytes)) = frames.take(&mut buffer) {
                    if stream == Stream::Stderr { err.extend(bytes) } else { out.extend(bytes) }
                }
            }
            assert_eq!((out.as_slice(), err.as_slice()), (&b"one\n\0three"[..], &b"two"[..]), "{size}");
        }
    }
}
