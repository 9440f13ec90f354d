//! Bodies of requests, streamed without collecting them. Trailers, which a client sends after a body, are not passed
//! on: some servers treat them as fields of the head, but only fields of the head are checked here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

/// What a backend is sent.
#[derive(Debug)]
pub(crate) enum Sent {
    Nothing,
    /// What a client sends, and whether it has broken off.
    Incoming(Incoming, Broken),
}

/// Whether a client has closed its connection in the middle of a body, or has sent a malformed body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Nothing => Poll::Ready(None),
            Self::Incoming(incoming, broken) => loop {
                let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
                if matches!(&frame, Some(Err(_))) {
                    broken.0.store(true, Ordering::Relaxed);
                }
                if !matches!(&frame, Some(Ok(frame)) if frame.is_trailers()) {
                    return Poll::Ready(frame);
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Incoming(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Incoming(incoming, _) => incoming.size_hint(),
        }
    }
}
