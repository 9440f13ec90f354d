//! The address at which a worker asks to listen.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An address that a worker asks for. Two workers that ask for the same one share its socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// TCP connections to an address, or to all addresses of this machine.
    Tcp(Port),
    /// Datagrams.
    Udp(Port),
    /// Connections to a Unix socket at an absolute path.
    Path(PathBuf),
}

/// A port with its address and options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// `None`: all addresses, IPv6 and IPv4 if the machine has both.
    pub address: Option<IpAddr>,
    /// The interface of an address that is only valid on one; 0 for others.
    pub scope: u32,
    /// The port; 0 for any free port.
    pub number: u16,
    /// Whether an IPv6 address accepts no IPv4.
    pub is_v6_only: bool,
    /// For an unspecified address: whether it includes IPv6.
    pub is_v6: bool,
    /// Which free port of a worker this is, counted from 0; 0 if the port is given.
    pub index: u64,
    /// Whether other sockets may use the same port for datagrams.
    pub reuses: bool,
}

impl Port {
    /// The address to bind.
    pub fn address(&self) -> SocketAddr {
        let any =
            if self.is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { std::net::Ipv4Addr::UNSPECIFIED.into() };
        match self.address.unwrap_or(any) {
            IpAddr::V4(address) => (address, self.number).into(),
            IpAddr::V6(address) => SocketAddrV6::new(address, self.number, 0, self.scope).into(),
        }
    }
}

/// The address that is bound in place of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// `None`: the address that the worker asks for.
    pub address: Option<IpAddr>,
    /// The port.
    pub number: u16,
}

impl Place {
    /// Whether any free port may be chosen.
    pub(crate) fn is_any_free(&self) -> bool {
        matches!(self, Self::Tcp(port) | Self::Udp(port) if port.number == 0)
    }

    /// The place that is bound for this one, if its port is moved.
    pub(crate) fn moved(&self, ports: &BTreeMap<u16, Target>) -> Self {
        let Self::Tcp(port) = self else { return self.clone() };
        let Some(to) = ports.get(&port.number) else { return self.clone() };
        let moved = Port { number: to.number, ..port.clone() };
        Self::Tcp(match to.address {
            None => moved,
            Some(ip) => Port { address: Some(ip), scope: 0, is_v6: ip.is_ipv6(), ..moved },
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: &Port, f: &mut fmt::Formatter<'_>| match port.address {
            Some(_) => write!(f, "{}", port.address()),
            None => write!(f, "*:{}", port.number),
        };
        match self {
            Self::Tcp(place) => port(place, f),
            Self::Udp(place) => port(place, f).and_then(|()| f.write_str("/udp")),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}
