//! HTTP/2: a connection has several requests at once. Each runs in a task of its own, so that one request can be cut
//! without the others when its backend is withdrawn.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2::{Builder, Connection as HttpConnection};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::balancer::Balancer;
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::http::forward::{self, Client};
use crate::http::life::{HEAD, LONGEST_HEAD, live};
use crate::work::Work;

/// How many requests a client may have open at once.
const MOST: u32 = 128;
/// How many bytes of an answer wait for the client, beside what the kernel keeps.
const LONGEST_WAITING: usize = 64 * 1024;
/// How many requests that the client has taken back may wait to be looked at. A client that only asks and takes back is ended.
const MOST_TAKEN_BACK: usize = 20;
/// How many requests that are against the protocol are answered before the connection is ended.
const MOST_WRONG: usize = 256;
/// How long a client may take to end a connection that it was asked to end.
const GRACE: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// What the task works on.
    static EXCHANGE: Arc<Exchange>;
}

/// Serves them until the connection ends.
pub(crate) async fn serve(
    balancer: &Balancer,
    connection: &Arc<Connection>,
    client: Arc<Client>,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    let service = service_fn(move |request| {
        let client = Arc::clone(&client);
        async move {
            let exchange = EXCHANGE.with(Arc::clone);
            Ok::<_, Infallible>(forward::answer(client, exchange, request).await)
        }
    });
    let served = Builder::new(Tasks(Arc::clone(connection)))
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST)
        .max_header_list_size(u32::try_from(LONGEST_HEAD).expect("it is a constant"))
        .max_send_buf_size(LONGEST_WAITING)
        .max_pending_accept_reset_streams(MOST_TAKEN_BACK)
        .max_local_error_reset_streams(MOST_WRONG)
        .serve_connection(TokioIo::new(io), service);
    let quiet = Notify::new();
    let mut living = pin!(live(balancer, served, HttpConnection::graceful_shutdown, quiet.notified()));
    let mut limit = pin!(async {
        is_quiet(connection).await;
        quiet.notify_one();
        sleep(GRACE).await;
        while connection.exchanges().1 {
            sleep(GRACE).await;
        }
    });
    poll_fn(|cx| {
        if living.as_mut().poll(cx).is_ready() || limit.as_mut().poll(cx).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Waits until there was no request for as long as a connection is kept without one: between once and twice that.
async fn is_quiet(connection: &Connection) {
    let mut before = connection.exchanges();
    loop {
        sleep(HEAD).await;
        let now = connection.exchanges();
        if now == before && !now.1 {
            return;
        }
        before = now;
    }
}

/// The tasks of the requests of a connection.
#[derive(Clone, Debug)]
struct Tasks(Arc<Connection>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let work = Arc::<Work>::default();
        let exchange = self.0.begin_exchange(Arc::clone(&work));
        work.is_done_by(tokio::spawn(EXCHANGE.scope(exchange, future)).abort_handle());
    }
}
