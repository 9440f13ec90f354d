//! `/events`: changes, as server-sent events. A client that reconnects names the last event that it has received, and
//! gets the later ones. A client that is too slow, or was away for too long, gets `gap` and requests the whole status
//! once.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::collect::Looking;
use crate::failed::failed;
use crate::ring::Next;
use crate::server::Server;

/// How often a comment is sent while no event happens, so that both sides notice a broken connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After how long a browser has to reconnect.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
pub(crate) struct From {
    /// The id of the last event that the client has received; a browser that reconnects sends it in a header.
    after: Option<String>,
}

/// One client that reads events.
struct Reader {
    server: Arc<Server>,
    number: u64,
    /// Whether it is unknown which events the client has received.
    is_lost: bool,
    wakeups: watch::Receiver<u64>,
    _looking: Looking,
    _place: OwnedSemaphorePermit,
}

pub(crate) async fn events(
    State(server): State<Arc<Server>>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = Arc::clone(&server.streams).try_acquire_owned() else {
        let full = failed(StatusCode::SERVICE_UNAVAILABLE, "too many clients read events");
        return ([(RETRY_AFTER, "5")], full).into_response();
    };
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let wakeups = server.ring.wakeups();
    let newest = server.ring.newest();
    let known = header.or(from.after.as_deref()).map(|id| server.ring.number(id));
    let looking = server.collector.look();
    let reader = Reader {
        number: known.flatten().unwrap_or(newest),
        is_lost: known == Some(None),
        server,
        wakeups,
        _looking: looking,
        _place: place,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

impl Reader {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            self.wakeups.borrow_and_update();
            let ring = &self.server.ring;
            let next = if self.is_lost { Next::Gap(ring.newest()) } else { ring.after(self.number) };
            let (number, name, data) = match next {
                Next::Event(event) => (event.number, event.name, event.data.clone()),
                Next::Gap(newest) => (newest, "gap", "{}".to_owned()),
                Next::Nothing => {
                    self.wakeups.changed().await.ok()?;
                    continue;
                }
            };
            (self.number, self.is_lost) = (number, false);
            return Some(Sent::default().id(ring.id(number)).event(name).retry(RETRY).data(data));
        }
    }
}
