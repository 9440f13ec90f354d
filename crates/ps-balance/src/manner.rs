//! The options by which connections are handed on at present. They come from the command line, and a supervisor may
//! change them while connections go on.

use std::net::IpAddr;
use std::time::Duration;

use balance::wire::Mode;
use balance::{Options, ProxyVersion};
use ipnet::IpNet;

/// How long a connection waits for a backend, unless an option says otherwise.
const HOLD: u32 = 30;
/// How long connections of a backend that is being drained go on, unless an option says otherwise.
const DRAIN: u32 = 30;
/// How long a connection may be silent, unless an option says otherwise.
const IDLE: u32 = 3600;

/// How connections are handed on.
#[derive(Debug)]
pub(crate) struct Manner(Options);

impl Manner {
    pub(crate) fn of(options: Options) -> Self {
        Self(options)
    }

    /// What it follows from.
    pub(crate) fn options(&self) -> &Options {
        &self.0
    }

    /// Byte for byte, or request by request.
    pub(crate) fn mode(&self) -> Mode {
        if self.0.http { Mode::Http } else { Mode::Tcp }
    }

    /// How long a connection waits for a backend when none is ready.
    pub(crate) fn hold(&self) -> Duration {
        seconds(self.0.hold.unwrap_or(HOLD))
    }

    /// How long connections of a backend that is being drained go on.
    pub(crate) fn drain(&self) -> Duration {
        seconds(self.0.drain_limit.unwrap_or(DRAIN))
    }

    /// How long a connection may be silent, if that ends.
    pub(crate) fn idle(&self) -> Option<Duration> {
        Some(self.0.idle_limit.unwrap_or(IDLE)).filter(|limit| *limit > 0).map(seconds)
    }

    /// Whether connections from there begin with who the client is.
    pub(crate) fn believes(&self, peer: IpAddr) -> bool {
        contains(&self.0.proxy_from, peer)
    }

    /// Whether what requests from there say about clients is true.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        contains(&self.0.trust_proxy, peer)
    }

    /// The PROXY header by which backends learn who the client is; `None` if they get none.
    pub(crate) fn proxy_out(&self) -> Option<ProxyVersion> {
        self.0.proxy_out
    }

    /// The name of the cookie that leads a client back to its backend.
    pub(crate) fn sticky(&self) -> Option<&str> {
        self.0.sticky.as_ref().map(balance::Cookie::as_str)
    }

    /// The port that clients who do not speak TLS are sent to.
    pub(crate) fn redirect(&self) -> Option<u16> {
        self.0.redirect_https
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

/// Whether an address is in one of the networks. An IPv4 address that is mapped to IPv6 counts as IPv4.
fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address.to_canonical()))
}
