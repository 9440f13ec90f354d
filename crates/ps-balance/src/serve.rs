//! The life of the program: sockets are opened, tasks begin, signals are waited for.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use balance::wire::Report;
use ps_cli::exit::Outcome;
use ps_cli::say;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::futures::Notified;

use crate::args::{Address, Args};
use crate::balancer::{Balancer, Sockets};
use crate::listen::{self, Inherited};
use crate::resume::{self, Resumed};
use crate::upgrade::{self, Itself};
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
    let itself = Itself::new()?;
    let mut signals = Signals::new().context("wait for signals")?;
    let balancer = if args.take_over { resumed(args)? } else { begun(args, inherited)? };
    upgrade::listen_to_signals()?;
    tokio::spawn(control::accept(Arc::clone(&balancer)));
    tokio::spawn(limits::enforce(Arc::clone(&balancer)));
    if balancer.state().leaves_by.is_none() {
        let accepting = balancer.listeners.iter().map(|listener| {
            tokio::spawn(accept::accept(Arc::clone(&balancer), Arc::clone(listener))).abort_handle()
        });
        balancer.accepts_by(accepting.collect());
    }
    if balancer.is_over() {
        return Ok(Outcome::Done);
    }
    wait(&balancer, &mut signals, &itself).await;
    Ok(Outcome::Done)
}

/// A balancer that begins.
fn begun(args: &Args, inherited: Inherited) -> Result<Arc<Balancer>> {
    let listeners = listeners(args, inherited.listeners)?;
    let control = args.control.as_deref().map(control::bind).transpose()?;
    let sockets = Sockets { listeners, control };
    let balancer = Arc::new(Balancer::new(args, sockets, most_connections()));
    if !args.backend.is_empty() {
        balancer.set(&args.set())?;
    }
    if let Some(supervisor) = inherited.supervisor {
        supervisor.set_nonblocking(true).context("talk to the supervisor")?;
        let supervisor = UnixStream::from_std(supervisor).context("talk to the supervisor")?;
        control::begin(&balancer, supervisor);
    }
    Ok(balancer)
}

/// One that goes on where another program has stopped.
fn resumed(args: &Args) -> Result<Arc<Balancer>> {
    let Resumed { sockets, rest } = resume::take()?;
    let balancer = Arc::new(Balancer::new(args, sockets, most_connections()));
    resume::go_on(&balancer, rest).context("take over")?;
    Ok(balancer)
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

/// Waits until it is told to end and everything has ended, or it is told twice. Replaces it by a new one where that is asked for.
async fn wait(balancer: &Balancer, signals: &mut Signals, itself: &Itself) {
    let mut is_told = false;
    loop {
        let (over, asked) = (pin!(balancer.over.notified()), pin!(balancer.upgrade.notified()));
        match news(signals, over, asked).await {
            News::End if is_told => return,
            News::End => {
                is_told = true;
                balancer.begin_to_leave();
            }
            News::Upgrade => {
                let mut tried = upgrade::prepare(itself, balancer).await;
                // What came before signals were held back would be lost with this program.
                if tried.is_ok() && !signals.is_to_end().await {
                    tried = upgrade::upgrade(itself, balancer);
                }
                if let Err(error) = tried.and(upgrade::listen_to_signals()) {
                    let reason = format!("cannot replace itself: {error:#}");
                    say::failure(&format!("ps-balance: {reason}"));
                    balancer.controls.tell(&Report::Refused { reason });
                }
            }
            News::Over => return,
        }
    }
}

/// What the program waits for.
enum News {
    /// A signal says that it is to end.
    End,
    /// It is to replace itself.
    Upgrade,
    /// The last connection has ended after it was told to end.
    Over,
}

async fn news(
    signals: &mut Signals,
    mut over: Pin<&mut Notified<'_>>,
    mut asked: Pin<&mut Notified<'_>>,
) -> News {
    poll_fn(|cx| {
        let is_to_end = signals.take_end(cx);
        let is_to_upgrade = signals.upgrade.poll_recv(cx).is_ready() | asked.as_mut().poll(cx).is_ready();
        if is_to_end {
            Poll::Ready(News::End)
        } else if is_to_upgrade {
            Poll::Ready(News::Upgrade)
        } else {
            over.as_mut().poll(cx).map(|()| News::Over)
        }
    })
    .await
}

/// The signals that it heeds.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    upgrade: Signal,
    /// Whether it is to end, which was seen and is not yet acted upon.
    is_to_end: bool,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            upgrade: signal(SignalKind::user_defined2())?,
            is_to_end: false,
        })
    }

    /// Whether it is to end by what has come until now.
    async fn is_to_end(&mut self) -> bool {
        poll_fn(|cx| {
            self.is_to_end = self.take_end(cx);
            Poll::Ready(self.is_to_end)
        })
        .await
    }

    fn take_end(&mut self, cx: &mut Context<'_>) -> bool {
        let seen = std::mem::take(&mut self.is_to_end);
        seen | self.terminate.poll_recv(cx).is_ready() | self.interrupt.poll_recv(cx).is_ready()
    }
}
