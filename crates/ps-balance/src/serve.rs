//! The life of the program: sockets are opened, tasks begin, signals are waited for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;
use ps_cli::say;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Address, Args};
use crate::balancer::Balancer;
use crate::listen::{self, Inherited};
use crate::{accept, control, limits};

/// Descriptors that no connection gets: listening sockets, control connections, the runtime's own.
const RESERVE: u64 = 64;
/// How many connections are served at once where nobody limits descriptors.
const MOST: u64 = 1 << 20;

/// Serves until it is told to end.
pub(crate) fn run(args: &Args, inherited: Inherited) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("begin to wait for connections")?.block_on(serve(args, inherited))
}

async fn serve(args: &Args, inherited: Inherited) -> Result<Outcome> {
    let mut signals = Signals::new().context("wait for signals")?;
    let listeners = listeners(args, inherited.listeners)?;
    let control = args.control.as_deref().map(control::bind).transpose()?;
    let balancer = Arc::new(Balancer::new(args.limits(), listeners, most_connections()));
    if !args.backend.is_empty() {
        balancer.set(&args.set())?;
    }
    if let Some(supervisor) = inherited.supervisor {
        supervisor.set_nonblocking(true)?;
        let supervisor = tokio::net::UnixStream::from_std(supervisor)?;
        tokio::spawn(control::serve(Arc::clone(&balancer), supervisor));
    }
    if let Some(control) = control {
        tokio::spawn(control::accept(Arc::clone(&balancer), control));
    }
    tokio::spawn(limits::enforce(Arc::clone(&balancer)));
    let accepting = balancer.listeners.iter().map(|listener| {
        tokio::spawn(accept::accept(Arc::clone(&balancer), Arc::clone(listener))).abort_handle()
    });
    balancer.accepts_by(accepting.collect());
    wait(&balancer, &mut signals).await;
    Ok(Outcome::Done)
}

fn listeners(args: &Args, inherited: Vec<std::net::TcpListener>) -> Result<Vec<Arc<TcpListener>>> {
    let mut sockets = inherited;
    for Address(address) in &args.listen {
        let socket = listen::bind(*address)?;
        let bound = socket.local_addr().with_context(|| format!("listen on {address}"))?;
        say::failure(&format!("ps-balance: listening on {bound}"));
        sockets.push(socket);
    }
    let prepared = |socket| listen::prepare(socket).map(Arc::new).context("wait for connections");
    sockets.into_iter().map(prepared).collect()
}

/// How many connections may be open at once: each needs two descriptors. The soft limit is raised to the hard one.
fn most_connections() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the soft limit is what counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = (descriptors.saturating_sub(RESERVE) / 2).clamp(1, MOST);
    usize::try_from(most).expect("it is at most MOST")
}

/// Waits until it is told to end and everything has ended, or it is told twice.
async fn wait(balancer: &Balancer, signals: &mut Signals) {
    let mut is_told = false;
    loop {
        let ended = balancer.ended.notified();
        if balancer.is_over() {
            return;
        }
        let mut ended = pin!(ended);
        let is_signalled = poll_fn(|cx| {
            if signals.poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            ended.as_mut().poll(cx).map(|()| false)
        });
        if is_signalled.await {
            if is_told {
                return;
            }
            is_told = true;
            balancer.begin_to_leave();
        }
    }
}

/// The signals that end it.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.terminate.poll_recv(cx).is_ready() || self.interrupt.poll_recv(cx).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
