//! One request, from its head to the head of its answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use balance::Fault;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::arrival::Origin;
use crate::balancer::Balancer;
use crate::clock;
use crate::exchange::Exchange;
use crate::http::answer::Refusal;
use crate::http::awake::Awake;
use crate::http::body::Body;
use crate::http::headers::{self, Sender};
use crate::http::lent::Lent;
use crate::http::line::Line;
use crate::http::sent::{Broken, Sent};
use crate::http::tunnel::Tunnel;
use crate::http::{redirect, sticky, target};
use crate::search::{Attempt, Search, attempt};

/// Whose requests they are.
#[derive(Debug)]
pub(crate) struct Client {
    balancer: Arc<Balancer>,
    peer: SocketAddr,
    sender: Sender,
    tunnel: Mutex<Option<Tunnel>>,
}

impl Client {
    pub(crate) fn new(balancer: &Arc<Balancer>, peer: SocketAddr, origin: &Origin, is_secure: bool) -> Self {
        let is_trusted = balancer.manner().trusts(peer.ip());
        let sender = Sender::new(origin.client.ip(), origin.server, is_trusted, is_secure);
        Self { balancer: Arc::clone(balancer), peer, sender, tunnel: Mutex::default() }
    }

    pub(crate) fn awake(&self) -> &Awake {
        &self.balancer.awake
    }

    /// What is left to do when the connection is no longer HTTP.
    pub(crate) fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Answers one request.
pub(crate) async fn answer(
    client: Arc<Client>,
    exchange: Arc<Exchange>,
    request: Request<Incoming>,
) -> Response<Body> {
    match pass(&client, &exchange, request).await {
        Ok(response) => response,
        Err(refusal) => {
            if refusal.is_for_want_of_a_backend() {
                client.balancer.refuse();
            }
            refusal.page()
        }
    }
}

async fn pass(
    client: &Client,
    at: &Exchange,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    target::check(&request)?;
    let manner = client.balancer.manner();
    if let Some(port) = manner.redirect().filter(|_| !client.sender.is_secure)
        && let Some(elsewhere) = redirect::to_https(&request, port)
    {
        return Ok(elsewhere);
    }
    let wants_upgrade = headers::wants_upgrade(&request);
    let upgrade = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    target::direct(&mut parts)?;
    let sticky = manner.sticky().map(|name| sticky::name_for(name, client.sender.is_secure));
    let cookie = sticky.and_then(|name| sticky::cookie(&parts.headers, name));
    headers::forward(&mut parts.headers, &client.sender, wants_upgrade);
    let broken = Broken::default();
    let is_empty = hyper::body::Body::is_end_stream(&body);
    let body = if is_empty { Sent::Nothing } else { Sent::Incoming(body, broken.clone()) };
    let wanted = cookie.as_deref();
    let answered = exchange(client, at, parts, (body, &broken), wanted).await;
    // The backend was not to blame where the client was.
    let mut answered = answered.map_err(|refusal| if broken.is_so() { Refusal::Body } else { refusal })?;
    let key = answered.lent.claim.key;
    let response = &mut answered.response;
    if let Err(refusal) = target::check_answer(response.headers()) {
        answered.lent.claim.broke(Fault::Unanswered);
        return Err(refusal);
    }
    let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if is_upgraded && !wants_upgrade {
        answered.lent.claim.broke(Fault::Unanswered);
        return Err(Refusal::Broken);
    }
    let backend = is_upgraded.then(|| hyper::upgrade::on(&mut *response));
    headers::give_back(response.headers_mut(), backend.is_some());
    if let Some(name) = sticky {
        let id = client.balancer.state().table.id(key).map(str::to_owned);
        if let Some(id) = id.filter(|id| wanted != Some(id)) {
            sticky::stick(response.headers_mut(), name, &id, client.sender.is_secure);
        }
    }
    *response.version_mut() = Version::HTTP_11;
    let Answered { response, mut lent } = answered;
    Ok(match (backend, upgrade) {
        (Some(backend), Some(upgrade)) => {
            lent.line.carry_by_itself();
            let tunnel = Tunnel { client: upgrade, backend, claim: lent.claim };
            *client.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
            response.map(|incoming| Body::Backend(incoming, None))
        }
        _ => response.map(|incoming| Body::Backend(incoming, Some(Box::new(lent)))),
    })
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
    at: &Exchange,
    parts: Parts,
    (body, broken): (Sent, &Broken),
    wanted: Option<&str>,
) -> Result<Answered, Refusal> {
    let balancer = &client.balancer;
    let mut repeatable = parts.method.is_idempotent() && matches!(body, Sent::Nothing);
    let (mut search, sought) =
        (Search::new(balancer, &at.work, clock::now()).wanting(wanted), Instant::now());
    let lent = loop {
        let Some((claim, address)) = search.next().await else { return Err(Refusal::Unavailable) };
        at.is_at(claim.key);
        let waited = if repeatable { balancer.pool.take(claim.key).await } else { None };
        if let Some(mut line) = waited {
            let again = Request::from_parts(parts.clone(), Sent::Nothing);
            if let Ok(response) = line.send(again).await {
                claim.reused();
                let lent = Lent { balancer: Arc::clone(balancer), claim, line, of: None };
                return Ok(Answered::noted(response, lent, sought.elapsed()));
            }
            // The backend may have closed it because of this very request, and others would do the same.
            repeatable = false;
        }
        let began = Instant::now();
        match attempt(address).await {
            Attempt::Connected(socket) => {
                claim.connected(began.elapsed());
                let opened = open(client, socket, address).await;
                let line = opened.inspect_err(|_| claim.broke(Fault::Unanswered))?;
                break Lent { balancer: Arc::clone(balancer), claim, line, of: None };
            }
            Attempt::Failed => search.failed(claim),
            Attempt::NoRoom => search.wait_for_room(claim).await,
        }
    };
    let mut lent = lent;
    let sent = lent.line.send(Request::from_parts(parts, body)).await;
    if sent.is_err() && !broken.is_so() {
        lent.claim.broke(Fault::Unanswered);
    }
    Ok(Answered::noted(sent.map_err(|_| Refusal::Broken)?, lent, sought.elapsed()))
}

impl Answered {
    /// Counts it: how long the client has waited, and whether the backend says that it has failed.
    fn noted(response: Response<Incoming>, lent: Lent, waited: Duration) -> Self {
        lent.claim.waited(waited);
        if response.status().is_server_error() {
            lent.claim.broke(Fault::Error);
        }
        Self { response, lent }
    }
}

async fn open(client: &Client, socket: TcpStream, address: SocketAddr) -> Result<Line, Refusal> {
    if let Some(version) = client.balancer.manner().proxy_out() {
        let server = client.sender.server.unwrap_or(address);
        let peer = SocketAddr::new(client.sender.client, client.peer.port());
        greet(&socket, &crate::arrival::header(version, peer, server).map_err(|_| Refusal::Broken)?)
            .await
            .map_err(|_| Refusal::Broken)?;
    }
    Line::open(socket).await.map_err(|_| Refusal::Broken)
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
