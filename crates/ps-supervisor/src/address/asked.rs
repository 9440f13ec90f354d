//! Asks `ps-balance` for its numbers as a client other than its supervisor. That starts nothing, and does not disturb
//! the supervisor.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use ::balance::wire::{Numbers, Report, Request};
use formation::Slot;

use super::balance::{LONGEST, SOCKET};
use crate::run_name::RunName;
use crate::socket;

/// How long it may take to answer. One that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenConnections {
    /// Its slot.
    pub slot: Slot,
    /// Its number.
    pub run: u64,
    /// How many are open, or being opened.
    pub count: u64,
}

/// The number of open connections of each run of an app; `None` if no `ps-balance` runs, so that there are no
/// connections.
pub fn open(service: &Path) -> Option<Vec<OpenConnections>> {
    let of_run = |id: &str, count| {
        let RunName { slot, number } = id.parse().ok()?;
        Some(OpenConnections { slot, run: number, count })
    };
    let numbers = numbers(service)?;
    Some(numbers.backends.iter().filter_map(|backend| of_run(&backend.id, backend.open)).collect())
}

/// What the `ps-balance` of an app has counted since it was started; `None` if none runs, or it does not answer within a second.
pub fn numbers(service: &Path) -> Option<Numbers> {
    let mut connection = socket::connect_at_once(service, SOCKET).ok()?;
    connection.set_nonblocking(false).ok()?;
    connection.set_read_timeout(Some(PATIENCE)).ok()?;
    connection.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut ask = serde_json::to_vec(&Request::Numbers {}).ok()?;
    ask.push(b'\n');
    connection.write_all(&ask).ok()?;
    let lines = BufReader::new(connection.take(u64::try_from(LONGEST).unwrap_or(u64::MAX))).lines();
    lines.map_while(Result::ok).find_map(|line| match serde_json::from_str(&line) {
        Ok(Report::Numbers(numbers)) => Some(numbers),
        _ => None,
    })
}
