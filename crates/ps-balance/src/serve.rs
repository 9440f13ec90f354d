//! The main loop of the program: opens sockets, starts tasks, waits for signals.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use balance::wire::Report;
use balance_tls::News;
use ps_cli::exit::Outcome;
use ps_cli::say;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::futures::Notified;

use crate::args::{Address, Args};
use crate::balancer::{Balancer, Sockets};
use crate::listen::{self, Inherited, Listener};
use crate::manner::Manner;
use crate::resume::{self, Resumed};
use crate::tls::Tls;
use crate::upgrade::{self, Itself};
use crate::{accept, control, handshake, identity, limits};

/// Descriptors that no connection gets: listening sockets, control connections, the runtime's own.
const RESERVE: u64 = 64;
/// The most connections that are served at the same time if descriptors are not limited.
const MOST: u64 = 1 << 20;

/// Serves until it is ended.
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
    let gate = Arc::clone(&balancer);
    tokio::spawn(async move { gate.gate.open().await });
    if balancer.state().leaves_by.is_none() {
        accept::begin(&balancer);
    }
    if balancer.is_over() {
        return Ok(Outcome::Done);
    }
    wait(&balancer, &mut signals, &itself).await;
    Ok(Outcome::Done)
}

/// A balancer that begins.
fn begun(args: &Args, mut inherited: Inherited) -> Result<Arc<Balancer>> {
    let supervisor = inherited.supervisor.take();
    let manner = Manner::of(args.options());
    let has_tls = !args.tls_listen.is_empty() || !inherited.tls.is_empty();
    let (tls, news) = if has_tls { tls(args, &manner, supervisor.is_some())? } else { (None, Vec::new()) };
    let listeners = listeners(args, inherited, tls.as_ref())?;
    let opened = args.control.as_deref().map(|path| control::open(path, supervisor.is_some()));
    let control = opened.transpose()?.flatten();
    let sockets = Sockets { listeners, control };
    let balancer = Arc::new(Balancer::new(args, manner, sockets, most_connections()));
    handshake::tell(&balancer.controls, &news);
    if !args.backend.is_empty() {
        balancer.set(&args.set())?;
    }
    if let Some(supervisor) = supervisor {
        supervisor.set_nonblocking(true).context("talk to the supervisor")?;
        let supervisor = UnixStream::from_std(supervisor).context("talk to the supervisor")?;
        control::begin(&balancer, supervisor);
    }
    if let Some(user) = &args.user {
        identity::assume(user, args.group.as_deref())?;
    }
    Ok(balancer)
}

/// One that goes on where another program has stopped.
fn resumed(args: &Args) -> Result<Arc<Balancer>> {
    let Resumed { sockets, options, rest } = resume::take()?;
    let manner = Manner::of(options.unwrap_or_else(|| args.options()));
    let balancer = Arc::new(Balancer::new(args, manner, sockets, most_connections()));
    resume::go_on(&balancer, rest).context("take over")?;
    Ok(balancer)
}

/// The TLS configuration, if there is one, and reports about its certificates. With a supervisor it starts even if no certificate can be
/// used: an expired one must not affect clients without TLS.
fn tls(args: &Args, manner: &Manner, is_supervised: bool) -> Result<(Option<Arc<Tls>>, Vec<News>)> {
    let sources = args.sources();
    if sources.is_empty() {
        return Ok((None, Vec::new()));
    }
    let (tls, news) = Tls::new(sources, manner.mode(), is_supervised)?;
    Ok((Some(Arc::new(tls)), news))
}

fn listeners(args: &Args, inherited: Inherited, tls: Option<&Arc<Tls>>) -> Result<Vec<Arc<Listener>>> {
    let bind = |address: &Address| listen::bind(address.0);
    let bound = args.listen.iter().map(bind).collect::<Result<Vec<_>>>()?;
    let bound_tls = args.tls_listen.iter().map(bind).collect::<Result<Vec<_>>>()?;
    for (socket, how) in bound.iter().map(|it| (it, "")).chain(bound_tls.iter().map(|it| (it, " (TLS)"))) {
        let address = socket.local_addr().context("listen")?;
        say::failure(&format!("ps-balance: listening on {address}{how}"));
    }
    let plain = inherited.listeners.into_iter().chain(bound).map(|socket| (socket, None));
    let tls = inherited.tls.into_iter().chain(bound_tls).map(|socket| (socket, tls.cloned()));
    let prepared = |(socket, tls)| listen::prepare(socket, tls).context("wait for connections");
    plain.chain(tls).map(prepared).collect()
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

/// Waits until it is asked to end and everything has ended, or until it is asked a second time. Replaces itself by a
/// new program if that is requested.
async fn wait(balancer: &Balancer, signals: &mut Signals, itself: &Itself) {
    let mut is_told = false;
    loop {
        let (over, asked) = (pin!(balancer.over.notified()), pin!(balancer.upgrade.notified()));
        match wakeup(signals, over, asked).await {
            Wakeup::End if is_told => return,
            Wakeup::End => {
                is_told = true;
                balancer.begin_to_leave();
            }
            Wakeup::Upgrade => {
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
            Wakeup::Over => return,
        }
    }
}

/// What the program waits for.
enum Wakeup {
    /// A signal says that it is to end.
    End,
    /// It is to replace itself.
    Upgrade,
    /// The last connection has ended after it was told to end.
    Over,
}

async fn wakeup(
    signals: &mut Signals,
    mut over: Pin<&mut Notified<'_>>,
    mut asked: Pin<&mut Notified<'_>>,
) -> Wakeup {
    poll_fn(|cx| {
        let is_to_end = signals.take_end(cx);
        let is_to_upgrade = signals.upgrade.poll_recv(cx).is_ready() | asked.as_mut().poll(cx).is_ready();
        if is_to_end {
            Poll::Ready(Wakeup::End)
        } else if is_to_upgrade {
            Poll::Ready(Wakeup::Upgrade)
        } else {
            over.as_mut().poll(cx).map(|()| Wakeup::Over)
        }
    })
    .await
}

/// The signals that it handles.
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
