//! One request, from its head to the head of its answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{COOKIE, HOST, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::arrival::Origin;
use crate::balancer::Balancer;
use crate::clock;
use crate::connection::Connection;
use crate::http::answer::Refusal;
use crate::http::body::Body;
use crate::http::headers::{self, Sender};
use crate::http::lent::Lent;
use crate::http::sent::Sent;
use crate::http::tunnel::Tunnel;
use crate::search::{Attempt, Search, attempt};

/// The most bytes that are read of an answer before they are written: so many stay in the cache of a processor until then.
const MOST_AT_ONCE: usize = 256 * 1024;

/// Whose requests they are.
#[derive(Debug)]
pub(crate) struct Client {
    balancer: Arc<Balancer>,
    connection: Arc<Connection>,
    sender: Sender,
    tunnel: Mutex<Option<Tunnel>>,
}

impl Client {
    pub(crate) fn new(
        balancer: &Arc<Balancer>,
        connection: &Arc<Connection>,
        origin: &Origin,
        socket: &TcpStream,
    ) -> Self {
        let sender = Sender {
            client: origin.client.ip(),
            server: origin.server.or_else(|| socket.local_addr().ok()),
            is_trusted: balancer.proxies.trusts(connection.peer.ip()),
        };
        let (balancer, connection) = (Arc::clone(balancer), Arc::clone(connection));
        Self { balancer, connection, sender, tunnel: Mutex::default() }
    }

    /// What is left to do when the connection is no longer HTTP.
    pub(crate) fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Answers one request.
pub(crate) async fn answer(client: Arc<Client>, request: Request<Incoming>) -> Response<Body> {
    match pass(&client, request).await {
        Ok(response) => response,
        Err(refusal) => {
            if refusal != Refusal::Bad {
                client.balancer.refuse();
            }
            refusal.page()
        }
    }
}

async fn pass(client: &Client, mut request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    check(&request)?;
    let wants_upgrade = headers::wants_upgrade(request.headers());
    let upgrade = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    direct(&mut parts)?;
    let cookie = client.balancer.sticky.as_deref().and_then(|name| cookie(&parts.headers, name));
    headers::forward(&mut parts.headers, &client.sender, wants_upgrade);
    let body = if hyper::body::Body::is_end_stream(&body) { Sent::Nothing } else { Sent::Incoming(body) };
    let wanted = cookie.as_deref();
    let mut answered = exchange(client, parts, body, wanted).await?;
    let key = answered.lent.claim.key;
    let response = &mut answered.response;
    let backend = (response.status() == StatusCode::SWITCHING_PROTOCOLS && wants_upgrade)
        .then(|| hyper::upgrade::on(&mut *response));
    headers::remove_hop_by_hop(response.headers_mut(), backend.is_some());
    if let Some(name) = client.balancer.sticky.as_deref() {
        let id = client.balancer.state().table.id(key).map(str::to_owned);
        stick(response.headers_mut(), name, id.filter(|id| wanted != Some(id)).as_deref());
    }
    *response.version_mut() = Version::HTTP_11;
    let Answered { response, lent } = answered;
    Ok(match (backend, upgrade) {
        (Some(backend), Some(upgrade)) => {
            let tunnel = Tunnel { client: upgrade, backend, claim: lent.claim };
            *client.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
            response.map(|incoming| Body::Backend(incoming, None))
        }
        _ => response.map(|incoming| Body::Backend(incoming, Some(Box::new(lent)))),
    })
}

/// Refuses what backends could understand in different ways.
fn check(request: &Request<Incoming>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let hosts = request.headers().get_all(HOST).iter().count();
    let needs_host = request.version() == Version::HTTP_11;
    if hosts > 1 || (needs_host && hosts == 0) {
        return Err(Refusal::Bad);
    }
    Ok(())
}

/// Makes the target one for a server: a path.
fn direct(parts: &mut Parts) -> Result<(), Refusal> {
    if let Some(authority) = parts.uri.authority() {
        // What the target says wins over the field (RFC 9112, 3.2.2).
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Bad)?;
        parts.headers.insert(HOST, host);
    }
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    Ok(())
}

/// An answer, and the connection through which it comes.
struct Answered {
    response: Response<Incoming>,
    lent: Lent,
}

/// Sends the request to a backend. A request that can be repeated and has no body may go through a connection that has waited: if the
/// backend has closed that at this very moment, it is sent once more, through a new one.
async fn exchange(
    client: &Client,
    parts: Parts,
    body: Sent,
    wanted: Option<&str>,
) -> Result<Answered, Refusal> {
    let balancer = &client.balancer;
    let repeatable = parts.method.is_idempotent() && matches!(body, Sent::Nothing);
    let mut search = Search::new(balancer, &client.connection, clock::now()).wanting(wanted);
    let lent = loop {
        let Some((claim, address)) = search.next().await else { return Err(Refusal::Unavailable) };
        client.connection.serves(claim.key);
        let waited = if repeatable { balancer.pool.take(claim.key).await } else { None };
        if let Some(mut sender) = waited {
            let again = Request::from_parts(parts.clone(), Sent::Nothing);
            if let Ok(response) = sender.send_request(again).await {
                claim.reused();
                return Ok(Answered {
                    response,
                    lent: Lent { balancer: Arc::clone(balancer), claim, sender },
                });
            }
        }
        let began = Instant::now();
        match attempt(address).await {
            Attempt::Connected(socket) => {
                claim.connected(began.elapsed());
                let sender = shake_hands(client, socket, address).await?;
                break Lent { balancer: Arc::clone(balancer), claim, sender };
            }
            Attempt::Failed => search.failed(claim),
            Attempt::NoRoom => search.wait_for_room(claim).await,
        }
    };
    let mut lent = lent;
    let sent = lent.sender.send_request(Request::from_parts(parts, body)).await;
    Ok(Answered { response: sent.map_err(|_| Refusal::Broken)?, lent })
}

async fn shake_hands(
    client: &Client,
    socket: TcpStream,
    address: SocketAddr,
) -> Result<SendRequest<Sent>, Refusal> {
    if let Some(version) = client.balancer.proxies.out {
        let server = client.sender.server.unwrap_or(address);
        let peer = SocketAddr::new(client.sender.client, client.connection.peer.port());
        greet(&socket, &crate::arrival::header(version, peer, server).map_err(|_| Refusal::Broken)?)
            .await
            .map_err(|_| Refusal::Broken)?;
    }
    let shaken = Builder::new().max_buf_size(MOST_AT_ONCE).handshake(TokioIo::new(socket)).await;
    let (sender, connection) = shaken.map_err(|_| Refusal::Broken)?;
    // It ends with the sender, or when the backend ends it.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

async fn greet(socket: &TcpStream, mut header: &[u8]) -> std::io::Result<()> {
    while !header.is_empty() {
        socket.writable().await?;
        match socket.try_write(header) {
            Ok(written) => header = &header[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(it, _)| *it == name).map(|(_, value)| value.to_owned())
}

/// Tells the client which backend it is at, if that is another one than it said.
fn stick(headers: &mut HeaderMap, name: &str, id: Option<&str>) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    if let Some(id) = id.filter(|id| id.bytes().all(is_plain))
        && let Ok(value) = HeaderValue::from_str(&format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax"))
    {
        headers.append(SET_COOKIE, value);
    }
}
