//! Startup checks of app.json, asked from here while a deploy waits (docs/programs/ps-lifecycle.md#deploy). An instance that
//! fails one fails the deploy.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use ps_probe::Check;
use ps_scheduler::{Cancel, Error};

const TURN: Duration = Duration::from_millis(50);

/// Asks until the check holds; `Ok(Err(reason))` says why it does not after its last attempt.
pub(crate) fn hold(check: &Check, port: u16, cancel: &Cancel) -> Result<Result<(), String>, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut last = String::new();
    for attempt in 1..=check.attempts {
        match ps_probe::ask(check, address) {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => last = reason,
        }
        if attempt < check.attempts {
            pause(check.wait, cancel)?;
        }
    }
    Ok(Err(format!("did not {check} on {address} in {} attempts ({last})", check.attempts)))
}

fn pause(wait: Duration, cancel: &Cancel) -> Result<(), Error> {
    let until = Instant::now() + wait;
    loop {
        cancel.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(TURN));
    }
}
