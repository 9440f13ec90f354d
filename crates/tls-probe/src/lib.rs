#![doc = include_str!("../README.md")]

mod anyone;
mod fault;
mod session;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ps_probe::{Connection, Get, Probe};

pub use session::Session;

/// Begins an attempt. It does not block; an immediate failure is returned by [`Probe::advance`].
pub fn begin(get: &Get, address: SocketAddr, timeout: Duration, now: Instant) -> Probe<Session> {
    let session = Connection::begin(address).map(|connection| Session::over(connection, get.host()));
    Probe::through(session, get, timeout, now)
}
