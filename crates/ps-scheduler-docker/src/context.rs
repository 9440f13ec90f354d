//! The archive from which an image is built, packed by a thread while it is sent.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::thread::{self, JoinHandle};

use build_context::{Context, PackError, Packed};
use futures_util::{Stream, stream};
use ps_engine::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// How many pieces are packed ahead of the engine.
const AHEAD: usize = 8;
const PIECE_BYTES: usize = 64 << 10;
/// The directory in the archive whose content is laid over an image.
pub(crate) const TREE: &str = "tree/";

type Piece = Result<Bytes, io::Error>;

/// The pieces of the archive, and the thread that packs them.
pub(crate) fn send(
    context: Context,
) -> (impl Stream<Item = Piece> + Send + use<>, JoinHandle<Result<Packed, PackError>>) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let packing = thread::spawn(move || {
        let packed = context.pack(Pieces { sender: sender.clone(), pending: Vec::new() });
        if packed.is_err() {
            // An incomplete archive must not look complete. The receiver may be gone already.
            let _ = sender.blocking_send(Err(io::ErrorKind::Interrupted.into()));
        }
        packed
    });
    let next = |mut receiver: Receiver<Piece>| async move {
        let piece = receiver.recv().await;
        piece.map(|piece| (piece, receiver))
    };
    (stream::unfold(receiver, next), packing)
}

/// A Dockerfile that copies the directory in the archive over an image.
pub(crate) fn laid_over(base: &str, directory: &str) -> String {
    let directory = if directory.trim_matches('/').is_empty() { "/app" } else { directory };
    let mut escaped = String::new();
    for character in directory.chars() {
        if matches!(character, '$' | '\\') {
            escaped.push('\\');
        }
        // Writing into a string cannot fail.
        let _ = write!(escaped, "{character}");
    }
    format!("FROM {base}\nWORKDIR {escaped}\nCOPY {TREE} ./\n")
}

/// A writer that sends its bytes to the engine.
struct Pieces {
    sender: Sender<Piece>,
    pending: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.pending));
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
