//! HTTP/1.1: the requests of a connection come one after another. A connection without a request rests if many do: hyper's state and buffers, 20 KiB
//! of them, are made again when the next request comes. Until then there is only the socket.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::futures::Notified;

use crate::balancer::Balancer;
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::http::forward::{self, Client};
use crate::http::gate::Turn;
use crate::http::head_timer::HeadTimer;
use crate::http::joined::Joined;
use crate::http::life::{HEAD, LONGEST_HEAD};
use crate::http::watched::Watched;
use crate::readable::Readable;

/// What the requests of a connection have in common.
struct Course<'a, 'b> {
    connection: &'a Arc<Connection>,
    client: Arc<Client>,
    exchange: Arc<Exchange>,
    timer: HeadTimer,
    /// The program is to end.
    leaves: Pin<&'a mut Notified<'b>>,
    turn: Turn,
    /// Whether it was told so: the connection takes no further request then.
    is_told: bool,
}

/// What a connection that rests was woken by.
enum Wakeup {
    /// Something came.
    Came,
    /// The program is to end.
    Leaves,
    /// The client has sent nothing for too long.
    Late,
}

/// Serves them until the connection ends. What comes out of a TLS session `may_hold` something that was read before.
pub(crate) async fn serve(
    balancer: &Balancer,
    connection: &Arc<Connection>,
    client: Arc<Client>,
    (io, may_hold): (impl AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static, bool),
) {
    let leaves = pin!(balancer.leaves.notified());
    let is_told = balancer.state().leaves_by.is_some();
    // Open until a tunnel has ended as well.
    let exchange = connection.begin_exchange(Arc::clone(&connection.work));
    let mut course = Course {
        connection,
        client,
        exchange,
        timer: HeadTimer::new(HEAD),
        leaves,
        is_told,
        turn: Turn::default(),
    };
    let mut socket = Watched::new(Joined::new(io));
    let mut may_hold = may_hold;
    loop {
        if !std::mem::take(&mut may_hold) {
            match course.rest(balancer, &socket).await {
                Wakeup::Came => {}
                // The client may have gone, which makes no difference any more.
                Wakeup::Leaves => return drop(socket.shutdown().await),
                Wakeup::Late => return,
            }
        }
        match Box::pin(course.wake(balancer, socket)).await {
            Some(resting) => socket = resting,
            None => break,
        }
    }
    if let Some(tunnel) = course.client.take_tunnel() {
        tunnel.pass().await;
    }
}

impl Course<'_, '_> {
    /// Waits for the next head.
    async fn rest(&mut self, balancer: &Balancer, socket: &impl Readable) -> Wakeup {
        poll_fn(|cx| {
            if socket.poll_readable(cx).is_ready() {
                // Taken also if the program is to end: it was on its way before.
                balancer.gate.poll_enter(&mut self.turn, cx).map(|()| Wakeup::Came)
            } else if self.is_told || self.leaves.as_mut().poll(cx).is_ready() {
                self.is_told = true;
                Poll::Ready(Wakeup::Leaves)
            } else {
                self.timer.poll_passed(cx).map(|()| Wakeup::Late)
            }
        })
        .await
    }

    /// Has hyper serve what comes, until the connection is over, or is to rest again: its socket.
    async fn wake<S>(&mut self, balancer: &Balancer, socket: Watched<S>) -> Option<Watched<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (seen, heads) = (socket.seen(), socket.seen());
        let place = balancer.awake.enter();
        let uses = place.uses();
        let (client, exchange) = (Arc::clone(&self.client), Arc::clone(&self.exchange));
        let connection = Arc::clone(self.connection);
        let service = service_fn(move |request| {
            heads.has_head();
            uses.begin(client.awake());
            let (client, exchange) = (Arc::clone(&client), Arc::clone(&exchange));
            let connection = Arc::clone(&connection);
            async move {
                let mut response = forward::answer(client, exchange, request).await;
                response.body_mut().begins_on(&connection);
                Ok::<_, Infallible>(response)
            }
        });
        let served = Builder::new()
            .keep_alive(!self.is_told)
            .timer(self.timer.clone())
            .header_read_timeout(HEAD)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut served = Some(served);
        poll_fn(|cx| {
            let Some(connection) = &mut served else { return Poll::Ready(None) };
            if place.is_waiting() && balancer.gate.poll_enter(&mut self.turn, cx).is_pending() {
                return Poll::Pending;
            }
            // How a connection ended is the client's business: it has seen it.
            let mut polled = Pin::new(&mut *connection).poll(cx);
            if polled.is_pending() && !self.is_told && self.leaves.as_mut().poll(cx).is_ready() {
                self.is_told = true;
                Pin::new(&mut *connection).graceful_shutdown();
                polled = Pin::new(connection).poll(cx);
            }
            if polled.is_ready() {
                return Poll::Ready(None);
            }
            if self.timer.is_awaited() && seen.is_at_rest() {
                self.exchange.is_nowhere();
                if place.waits() {
                    return Poll::Ready(served.take().and_then(UpgradeableConnection::into_parts));
                }
            }
            Poll::Pending
        })
        .await
        .map(|parts| {
            self.timer.keep();
            parts.io.into_inner().beginning_with(&parts.read_buf)
        })
    }
}
