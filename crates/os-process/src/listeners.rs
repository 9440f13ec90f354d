//! The TCP ports that somebody listens on, from `/proc/net/tcp*`. No connection is made, so no program notices the look.

use std::collections::BTreeSet;
use std::fs;

/// The state of a listening socket in the table.
const LISTENS: &str = "0A";

/// The ports with a listener, on any address, as of the last reading.
#[derive(Debug, Default)]
pub struct Listeners(Option<BTreeSet<u16>>);

impl Listeners {
    /// The table is read anew at the next question.
    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// Whether the table has been read since [`Listeners::forget`].
    pub fn is_read(&self) -> bool {
        self.0.is_some()
    }

    /// Whether somebody listens on a port.
    pub fn has(&mut self, port: u16) -> bool {
        self.0.get_or_insert_with(read).contains(&port)
    }
}

fn read() -> BTreeSet<u16> {
    let tables =
        ["tcp", "tcp6"].into_iter().filter_map(|name| fs::read_to_string(format!("/proc/net/{name}")).ok());
    tables.flat_map(|table| table.lines().skip(1).filter_map(listening).collect::<Vec<_>>()).collect()
}

/// The port in a line of the table, if it is a listening socket (proc(5), net/tcp).
fn listening(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let is_listening = fields.nth(1)? == LISTENS;
    let (_, port) = local.rsplit_once(':')?;
    u16::from_str_radix(port, 16).ok().filter(|_| is_listening)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_listened_on_as_long_as_somebody_does_and_what_was_read_stays_until_it_is_forgotten() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mut listeners = Listeners::default();
        assert!(!listeners.is_read());
        assert!(listeners.has(port) && listeners.is_read());
        drop(listener);
        assert!(listeners.has(port));
        listeners.forget();
        assert!(!listeners.has(port));
    }
}
