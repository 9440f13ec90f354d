//! Bodies of answers, streamed without collecting them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use balance::Fault;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use crate::connection::Connection;
use crate::http::lent::Lent;

/// What a client is answered with.
#[derive(Debug)]
pub(crate) enum Body {
    /// A page of our own.
    Page(Option<Bytes>),
    /// What a backend sends. Its connection is lent until the end.
    Backend(Incoming, Option<Box<Lent>>),
}

impl Body {
    pub(crate) fn page(text: String) -> Self {
        Self::Page(Some(text.into()))
    }

    /// It is an answer on this connection of HTTP/1, which has begun now.
    pub(crate) fn begins_on(&mut self, connection: &Arc<Connection>) {
        if let Self::Backend(_, Some(lent)) = self {
            connection.be_amid(true);
            lent.of = Some(Arc::clone(connection));
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Page(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Backend(incoming, lent) => {
                let polled = match lent {
                    Some(lent) => lent.line.poll_frame(incoming, cx),
                    None => Pin::new(incoming).poll_frame(cx),
                };
                match polled {
                    Poll::Ready(None) => lent.take().into_iter().for_each(|lent| lent.give_back()),
                    Poll::Ready(Some(Err(_))) => lent.iter().for_each(|lent| lent.claim.broke(Fault::Broken)),
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(text) => text.is_none(),
            Self::Backend(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Backend(incoming, _) => incoming.size_hint(),
        }
    }
}

impl Drop for Body {
    /// A body whose end was known beforehand is not asked for it.
    fn drop(&mut self) {
        if let Self::Backend(incoming, lent) = self
            && incoming.is_end_stream()
        {
            lent.take().into_iter().for_each(|lent| lent.give_back());
        }
    }
}
