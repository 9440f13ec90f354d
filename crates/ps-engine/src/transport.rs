//! HTTP over the engine's unix socket: one connection for each request, which must be open within [`CONNECT`].
//! bollard uses it; [`get`] bypasses bollard where the engine's JSON is needed with all its fields. Paths contain no
//! API version, so every engine answers in its own version and nothing has to be negotiated.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::BollardRequest;
use bollard::errors::Error;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::bounded::Bounded;

const CONNECT: Duration = Duration::from_secs(2);
const MAX_BODY_BYTES: usize = 16 << 20;

/// Sends one request, and returns when the head of the response has arrived.
pub(crate) async fn send(socket: PathBuf, request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let connecting = tokio::time::timeout(CONNECT, UnixStream::connect(&socket)).await;
    let stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let stream = Bounded::new(stream, request.uri().path());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(in_origin_form(request)).await?)
}

/// The whole JSON document at `path`.
pub(crate) async fn get(socket: &Path, path: &str) -> Result<Value, Error> {
    let request = Request::get(path).body(bollard::body_full(Bytes::new()))?;
    let response = send(socket.to_owned(), request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    let bytes = body.map_err(io::Error::other)?.to_bytes();
    let value: Value = serde_json::from_slice(&bytes)?;
    if status.is_success() {
        return Ok(value);
    }
    let message = value["message"].as_str().unwrap_or_default().to_owned();
    Err(Error::DockerResponseServerError { status_code: status.as_u16(), message })
}

fn in_origin_form(mut request: BollardRequest) -> BollardRequest {
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
    request
}
