//! HTTP over the engine's unix socket: one connection for each request, which must be open within [`CONNECT`]. bollard
//! uses it; [`get`] bypasses bollard where the engine's complete JSON is needed. Paths contain no API version, so every
//! engine answers in its own version and nothing has to be negotiated.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::BollardRequest;
use bollard::errors::Error;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::bounded::{Bounded, MOST};
use crate::elements;

const CONNECT: Duration = Duration::from_secs(2);

/// Sends one request, and returns when the head of the response has arrived.
pub(crate) async fn send(socket: PathBuf, request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let stream = connect(&socket).await?;
    let stream = Bounded::new(stream, request.uri().path());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(in_origin_form(request)).await?)
}

/// A connection to the engine, made within [`CONNECT`].
pub(crate) async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let connecting = tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await;
    connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The whole JSON document at `path`.
pub(crate) async fn get(socket: &Path, path: &str) -> Result<Value, Error> {
    get_as(socket, path, None).await
}

/// As [`get`], with the credentials with which the engine asks a registry.
pub(crate) async fn get_as(socket: &Path, path: &str, auth: Option<&str>) -> Result<Value, Error> {
    let request = with_auth(Request::get(path), auth);
    answer(socket, request.body(bollard::body_full(Bytes::new()))?).await
}

/// The head of an answer whose body is not needed.
pub(crate) async fn head(socket: &Path, path: &str) -> Result<Response<Incoming>, Error> {
    let request = Request::head(path).body(bollard::body_full(Bytes::new()))?;
    let response = send(socket.to_owned(), request).await?;
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(refusal(status, &Value::Null)) }
}

/// The results of `read` for each element of the array at `path`.
pub(crate) async fn get_each<R>(
    socket: &Path,
    path: &str,
    read: impl FnMut(&Value) -> R,
) -> Result<Vec<R>, Error> {
    let response =
        send(socket.to_owned(), Request::get(path).body(bollard::body_full(Bytes::new()))?).await?;
    let status = response.status();
    if !status.is_success() {
        return Err(refusal(status, &json(response).await?));
    }
    Ok(elements::each(&bytes(response).await?, read)?)
}

/// Sends a document to `path`. Returns the answer; null if it is empty.
pub(crate) async fn post(socket: &Path, path: &str, body: Option<&Value>) -> Result<Value, Error> {
    post_as(socket, path, body, None).await
}

/// As [`post`], with the credentials with which an engine asks a registry.
pub(crate) async fn post_as(
    socket: &Path,
    path: &str,
    body: Option<&Value>,
    auth: Option<&str>,
) -> Result<Value, Error> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = with_auth(Request::post(path).header(CONTENT_TYPE, "application/json"), auth);
    answer(socket, request.body(bollard::body_full(Bytes::from(body)))?).await
}

/// A request with the credentials of a registry, encoded as the engine wants them.
pub(crate) fn with_auth(request: Builder, auth: Option<&str>) -> Builder {
    match auth {
        Some(auth) => request.header("X-Registry-Auth", auth),
        None => request,
    }
}

/// Removes the object at `path`. Returns the answer; null if it is empty.
pub(crate) async fn delete(socket: &Path, path: &str) -> Result<Value, Error> {
    answer(socket, Request::delete(path).body(bollard::body_full(Bytes::new()))?).await
}

/// As [`post`], but returns when the head of the answer has arrived.
pub(crate) async fn begin_post(socket: &Path, path: &str) -> Result<Response<Incoming>, Error> {
    let response =
        send(socket.to_owned(), Request::post(path).body(bollard::body_full(Bytes::new()))?).await?;
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(refusal(status, &json(response).await?)) }
}

async fn answer(socket: &Path, request: BollardRequest) -> Result<Value, Error> {
    let response = send(socket.to_owned(), request).await?;
    let status = response.status();
    let value = json(response).await?;
    if status.is_success() { Ok(value) } else { Err(refusal(status, &value)) }
}

/// The document of an answer, whole; null if there is none.
pub(crate) async fn json(response: Response<Incoming>) -> Result<Value, Error> {
    let bytes = bytes(response).await?;
    Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? })
}

async fn bytes(response: Response<Incoming>) -> Result<Bytes, Error> {
    let body = Limited::new(response.into_body(), MOST).collect().await;
    Ok(body.map_err(io::Error::other)?.to_bytes())
}

/// The error of an answer with that status.
pub(crate) fn refusal(status: StatusCode, value: &Value) -> Error {
    let message = value["message"].as_str().unwrap_or_default().to_owned();
    Error::DockerResponseServerError { status_code: status.as_u16(), message }
}

fn in_origin_form(mut request: BollardRequest) -> BollardRequest {
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
    request
}
