//! Startup checks of app.json, asked from here while a deploy waits: a GET that answers 2xx, or a port that accepts
//! connections (docs/programs/ps-lifecycle.md#deploy). An instance that fails one fails the deploy.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use ps_scheduler::{Cancel, Check, Error};

const TURN: Duration = Duration::from_millis(50);
/// The longest status line that is read, in bytes.
const LONGEST_LINE: u64 = 8192;

/// Asks until the check holds; `Ok(Err(reason))` says why it does not after its last attempt.
pub(crate) fn hold(check: &Check, port: u16, cancel: &Cancel) -> Result<Result<(), String>, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut last = String::new();
    for attempt in 1..=check.attempts {
        match ask(check, address) {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => last = reason,
        }
        if attempt < check.attempts {
            pause(check.wait, cancel)?;
        }
    }
    let what = check
        .path
        .as_deref()
        .map_or_else(|| "accept".to_owned(), |path| format!("answer GET {path} with 2xx"));
    Ok(Err(format!("did not {what} on {address} in {} attempts ({last})", check.attempts)))
}

fn ask(check: &Check, address: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + check.timeout;
    let mut stream =
        TcpStream::connect_timeout(&address, check.timeout).map_err(|error| error.to_string())?;
    let Some(path) = &check.path else { return Ok(()) };
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    let mut line = String::new();
    stream
        .set_read_timeout(Some(left))
        .and_then(|()| stream.set_write_timeout(Some(left)))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| BufReader::new(std::io::Read::take(&stream, LONGEST_LINE)).read_line(&mut line))
        .map_err(|error| error.to_string())?;
    let status = line.split(' ').nth(1).unwrap_or_default();
    let is_success = line.starts_with("HTTP/") && status.len() == 3 && status.starts_with('2');
    if is_success { Ok(()) } else { Err(format!("it answered {:?}", line.trim_end())) }
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
