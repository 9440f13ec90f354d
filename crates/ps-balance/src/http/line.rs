//! A connection to a backend. A request without a body is sent and answered within the task of its client: a task of the
//! connection's own would have to be woken, and wake that of the client, for each step. A request with a body gets such a task: a
//! client may send all of it before it reads the answer, and the answer may have filled all buffers by then.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::http::bell::Bell;
use crate::http::joined::Joined;
use crate::http::sent::Sent;

/// The most bytes of an answer that are read before they are written: this amount stays in the processor's cache until
/// then.
const MOST_AT_ONCE: usize = 256 * 1024;

/// What reads and writes, until the connection is closed.
type Traffic = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection to a backend.
pub(crate) struct Line {
    sender: SendRequest<Sent>,
    carrier: Carrier,
}

/// Who has it read and write.
enum Carrier {
    /// Whoever waits for an answer.
    Asker { traffic: Traffic, bell: Arc<Bell>, waker: Waker },
    /// A task of its own; or nobody, because it is closed.
    Other,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl Line {
    /// A connection that nothing was sent through by HTTP.
    pub(crate) async fn open(socket: TcpStream) -> hyper::Result<Self> {
        let io = TokioIo::new(Joined::hearing_out(socket));
        let (sender, connection) = Builder::new().max_buf_size(MOST_AT_ONCE).handshake(io).await?;
        let bell = Arc::<Bell>::default();
        let waker = Waker::from(Arc::clone(&bell));
        Ok(Self {
            sender,
            carrier: Carrier::Asker { traffic: Box::pin(connection.with_upgrades()), bell, waker },
        })
    }

    /// Whether it can be used for a request: it is not closed, and the end of the last answer has been seen.
    pub(crate) async fn is_ready(&mut self) -> bool {
        match self.carrier {
            Carrier::Asker { .. } => {
                self.carrier.carry();
                self.sender.is_ready()
            }
            Carrier::Other => self.sender.ready().await.is_ok(),
        }
    }

    /// Whether it is known to be closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request: the head of its answer.
    pub(crate) async fn send(&mut self, request: Request<Sent>) -> hyper::Result<Response<Incoming>> {
        if matches!(request.body(), Sent::Incoming(..)) {
            self.carry_by_itself();
        }
        let Self { sender, carrier } = self;
        let mut answer = pin!(sender.send_request(request));
        poll_fn(|cx| carrier.poll(cx, |cx| answer.as_mut().poll(cx), false)).await
    }

    /// The next part of the answer's body.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.carrier.poll(cx, |cx| Pin::new(&mut *body).poll_frame(cx), true)
    }

    /// From now on it has a task of its own, which ends when the connection does.
    pub(crate) fn carry_by_itself(&mut self) {
        if let Carrier::Asker { traffic, .. } = std::mem::replace(&mut self.carrier, Carrier::Other) {
            tokio::spawn(traffic);
        }
    }
}

impl Carrier {
    /// Asks for what the connection is to bring, and has it read and write until that is there. With `may_be_there`, it is asked for first.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
        may_be_there: bool,
    ) -> Poll<T> {
        // The task that fills the channel is this one and is polled first, so no waker is needed.
        let nobody = &mut Context::from_waker(Waker::noop());
        match self {
            Self::Asker { bell, .. } => bell.hush(),
            Self::Other => return wanted(cx),
        }
        if may_be_there && let Poll::Ready(there) = wanted(nobody) {
            return Poll::Ready(there);
        }
        self.carry();
        match self {
            Self::Asker { bell, .. } => {
                let polled = wanted(nobody);
                if polled.is_pending() {
                    bell.ring_for(cx.waker());
                }
                polled
            }
            Self::Other => wanted(cx),
        }
    }

    /// Has it read and write what it can.
    fn carry(&mut self) {
        if let Self::Asker { traffic, bell, waker } = self {
            bell.hush();
            // An error is told to whoever waits for an answer.
            if traffic.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                *self = Self::Other;
            }
        }
    }
}
