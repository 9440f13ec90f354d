//! The description of one connection for a new program that takes it over (an upgrade).

use std::net::SocketAddr;
use std::time::Duration;

use balance::Key;
use serde::{Deserialize, Serialize};

use crate::direction::Flow;

/// One connection of a client.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CarriedConnection {
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) arrived: Duration,
    pub(crate) stage: CarriedStage,
}

/// How far it has come.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CarriedStage {
    /// It has this number of bytes that were read to find out who the client is. They follow the description.
    Arriving {
        head: usize,
    },
    Relaying {
        key: Key,
        up: CarriedDirection,
        down: CarriedDirection,
    },
}

/// One direction of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CarriedDirection {
    pub(crate) flow: Flow,
    pub(crate) bytes: u64,
    /// How many bytes are on their way. They follow the description.
    pub(crate) residue: usize,
}
