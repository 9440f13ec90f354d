//! Changes the listening sockets and the options while connections go on. Accepted connections are not affected: they
//! continue as they began.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use balance::wire::{Listening, Reach};

use crate::accept;
use crate::balancer::Balancer;
use crate::handshake;
use crate::listen::{self, Listener};
use crate::manner::Manner;
use crate::tls::Tls;

/// On what it listens, and how it hands on what arrives there.
pub(crate) fn present(balancer: &Balancer) -> Reach {
    let listening = |listener: &Arc<Listener>| {
        let address = listener.socket.local_addr().ok()?;
        Some(Listening { address, tls: listener.tls.is_some() })
    };
    let listeners = balancer.listeners().iter().filter_map(listening).collect();
    Reach { listeners, options: balancer.manner().options().clone() }
}

/// Listens on these sockets and on no others, in this manner.
///
/// # Errors
/// It is about to end, or the sockets are not those that are spoken of, or there is no certificate for one of them. Nothing has changed
/// then.
pub(crate) fn change(balancer: &Arc<Balancer>, reach: Reach, sockets: Vec<OwnedFd>) -> Result<()> {
    ensure!(balancer.state().leaves_by.is_none(), "it is about to end");
    let (said, came) = (reach.listeners.len(), sockets.len());
    ensure!(said == came, "{came} sockets came where {said} were spoken of");
    let manner = Manner::of(reach.options);
    let tls = if reach.listeners.iter().any(|it| it.tls) { Some(tls(balancer, &manner)?) } else { None };
    let of_socket = |(listening, socket): (Listening, OwnedFd)| {
        let tls = tls.clone().filter(|_| listening.tls);
        listen::prepare(TcpListener::from(socket), tls)
            .with_context(|| format!("listen on {}", listening.address))
    };
    let listeners = reach.listeners.into_iter().zip(sockets).map(of_socket).collect::<Result<Vec<_>>>()?;
    balancer.go_on_as(manner, listeners);
    accept::begin(balancer);
    Ok(())
}

/// What TLS is ended with in this manner: the same as before where that is the same.
fn tls(balancer: &Balancer, manner: &Manner) -> Result<Arc<Tls>> {
    let is_same = balancer.manner().mode() == manner.mode();
    let known = balancer.listeners().iter().find_map(|listener| listener.tls.clone());
    if let Some(known) = known.filter(|_| is_same) {
        return Ok(known);
    }
    ensure!(!balancer.sources.is_empty(), "it was not told where certificates lie");
    let (tls, news) = Tls::new(balancer.sources.clone(), manner.mode(), true)?;
    handshake::tell(&balancer.controls, &news);
    Ok(Arc::new(tls))
}
