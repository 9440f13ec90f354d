//! The main loop of the program: one thread that waits for clients and answers them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::response::Response;
use balance_tls::{Certificates, News, Protocols};
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_cli::say;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::access::Access;
use crate::args::Args;
use crate::client::Client;
use crate::collect::Collector;
use crate::deploys::Deploys;
use crate::guard::Guard;
use crate::listen::{self, Listener, Served};
use crate::ring::Ring;
use crate::router::router;
use crate::sample;
use crate::samples::Samples;
use crate::server::{PROGRAMS, Server};

/// How long a client may take for the head of a request, and for the TLS handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest head of a request: bytes in all, and the number of headers.
const MOST_BYTES: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// The number of descriptors that are kept free of clients.
const RESERVE: u64 = 64;
/// The most clients at the same time if descriptors are not limited.
const MOST_CLIENTS: u64 = 1 << 16;
/// The pause after a failed accept.
const AGAIN: Duration = Duration::from_millis(100);

/// Serves until it is ended.
pub(crate) fn run(args: &Args, world: World) -> Result<Outcome> {
    let access = args.token_file.as_deref().map(Access::read).transpose()?;
    let acceptor = acceptor(args)?;
    let served = listen::open(args, &world)?;
    let address = served.address();
    if address.is_some() && access.is_none() {
        return Err(ps_cli::exit::Refusal::usage(
            "an address is open to everybody who reaches it: give --token-file FILE",
        ));
    }
    let guard = Guard {
        names: Guard::names(address.map(|address| address.ip()), &args.host),
        access,
        allows_writes: args.allow_writes,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("begin to wait for clients")?;
    let file = served.file.clone();
    let ended = runtime.block_on(serve(world, served, guard, acceptor));
    // The thread of a scheduler that hangs is left running, and ends with the process.
    runtime.shutdown_background();
    if let Some(file) = file {
        let _ = std::fs::remove_file(file);
    }
    ended
}

fn acceptor(args: &Args) -> Result<Option<TlsAcceptor>> {
    let Some(source) = args.certificate()? else { return Ok(None) };
    let (certificates, news) = Certificates::read([source], std::time::SystemTime::now())?;
    for one in &news {
        if let News::Refused { flaw, .. } = one {
            say::warning(&flaw.to_string());
        }
    }
    Ok(Some(TlsAcceptor::from(certificates.config(Protocols::Http1)?)))
}

async fn serve(world: World, served: Served, guard: Guard, acceptor: Option<TlsAcceptor>) -> Result<Outcome> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for signals")?;
    let most = most_clients();
    let server = Arc::new(Server {
        world: world.clone(),
        guard,
        collector: Collector::new(),
        ring: Ring::new(),
        deploys: Deploys::default(),
        samples: Samples::open(&world),
        streams: Arc::new(Semaphore::new(most - most / 10)),
        programs: Semaphore::new(PROGRAMS),
        is_tls: acceptor.is_some(),
    });
    let looking = Arc::clone(&server);
    tokio::spawn(async move { looking.collector.run(world, &looking.ring).await });
    if server.samples.is_some() {
        tokio::spawn(sample::run(Arc::clone(&server)));
    }
    say::failure(&format!("ps-web: serving {}", served.place));
    let listener = served.socket.listener().context("wait for clients")?;
    let accepting = accept(listener, router(server), acceptor, most);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = accepting => {}
    }
    Ok(Outcome::Done)
}

/// The most clients at the same time. The soft limit of descriptors is raised to the hard one.
fn most_clients() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If the limit cannot be raised, the present soft limit applies.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = descriptors.saturating_sub(RESERVE).clamp(2, MOST_CLIENTS);
    usize::try_from(most).expect("it is at most MOST_CLIENTS")
}

async fn accept(listener: Listener, router: Router, acceptor: Option<TlsAcceptor>, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
        let accepted = match &listener {
            Listener::Unix(socket) => socket.accept().await.map(|(io, _)| Accepted::Unix(io)),
            Listener::Tcp(socket) => socket.accept().await.map(|(io, peer)| Accepted::Tcp(io, peer)),
        };
        match accepted {
            Ok(accepted) => {
                tokio::spawn(begin(accepted, router.clone(), acceptor.clone(), place));
            }
            // Either the client has left already, or no descriptor is free; then this waits for one.
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

enum Accepted {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream, SocketAddr),
}

async fn begin(
    accepted: Accepted,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    _place: OwnedSemaphorePermit,
) {
    match accepted {
        Accepted::Unix(io) => {
            let user = io.peer_cred().ok().map(|peer| os_process::user_name(peer.uid()));
            answer(TokioIo::new(io), router, Client::Local(user)).await;
        }
        Accepted::Tcp(io, peer) => {
            let client = Client::Remote(peer);
            let _ = io.set_nodelay(true);
            let Some(acceptor) = acceptor else { return answer(TokioIo::new(io), router, client).await };
            if let Ok(Ok(io)) = timeout(PATIENCE, acceptor.accept(io)).await {
                answer(TokioIo::new(io), router, client).await;
            }
        }
    }
}

/// Answers the requests of one client, until the server or the client ends.
async fn answer<IO: Read + Write + Unpin + Send + 'static>(io: IO, router: Router, client: Client) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    http.max_headers(MOST_HEADERS).max_buf_size(MOST_BYTES);
    let service = Attributed { router: TowerToHyperService::new(router), client };
    // Only the client can cause an error: it left, or sent something that is not HTTP, which hyper has
    // answered.
    let _: Result<(), hyper::Error> = http.serve_connection(io, service).await;
}

/// Adds the client to each request.
struct Attributed {
    router: TowerToHyperService<Router>,
    client: Client,
}

impl Service<Request<Incoming>> for Attributed {
    type Response = Response;
    type Error = Infallible;
    type Future = TowerToHyperServiceFuture<Router, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.client.clone());
        self.router.call(request)
    }
}
