//! The messages about errors before an answer: the address, what the server did, and what a person can do.

use std::io;
use std::net::SocketAddr;

use rustls::{AlertDescription, Error};

/// How much of an answer without TLS is shown, in bytes.
const SHOWN: usize = 40;
/// The advice for a server that has several certificates.
const NAME: &str = "if it wants to know for which name it is asked, set the header Host of the check";

/// The progress of a TLS handshake.
#[derive(Debug)]
pub(crate) struct Opening {
    address: SocketAddr,
    /// Whether a name was sent to the server.
    is_named: bool,
    /// The first bytes that the server sent.
    heard: Vec<u8>,
}

/// The fault of a handshake.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection was closed in the middle of the handshake.
    Closed,
    /// The connection broke.
    Cut(io::Error),
    /// The client or the server has given up the handshake.
    Tls(Error),
}

impl Opening {
    /// A handshake without any byte from the server.
    pub(crate) fn new(address: SocketAddr, is_named: bool) -> Self {
        Self { address, is_named, heard: Vec::new() }
    }

    /// Records bytes that have arrived.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        let room = SHOWN.saturating_sub(self.heard.len());
        self.heard.extend(&bytes[..bytes.len().min(room)]);
    }

    /// The message about the handshake at the deadline.
    pub(crate) fn late(&self, within: &str) -> String {
        let address = self.address;
        if self.heard.is_empty() {
            return format!(
                "{address} did not answer the TLS handshake {within}; {}",
                instead("does not speak TLS")
            );
        }
        format!("{address} did not finish the TLS handshake {within}")
    }

    /// The message about a fault.
    pub(crate) fn tell(&self, fault: &Fault) -> String {
        let address = self.address;
        match fault {
            Fault::Closed => {
                format!(
                    "{address} closed the connection in the TLS handshake; {}",
                    instead("does not speak TLS")
                )
            }
            Fault::Cut(error) => {
                format!("the TLS handshake with {address}: {error}; {}", instead("does not speak TLS"))
            }
            Fault::Tls(Error::AlertReceived(alert)) => self.refused(*alert),
            Fault::Tls(Error::InvalidMessage(_)) if self.heard.starts_with(b"HTTP/") => {
                format!("{address} speaks plain http and not TLS: leave out the scheme of the check")
            }
            Fault::Tls(Error::InvalidMessage(_)) => {
                format!(
                    "{address} does not speak TLS, it answered {}; {}",
                    self.shown(),
                    instead("speaks plain http")
                )
            }
            Fault::Tls(error) => format!("the TLS handshake with {address} failed: {error}"),
        }
    }

    fn refused(&self, alert: AlertDescription) -> String {
        let what = format!("{} refused the TLS handshake ({alert:?})", self.address);
        match alert {
            AlertDescription::ProtocolVersion => format!("{what}: it needs TLS 1.2 or 1.3"),
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate => {
                format!(
                    "{what}: it wants a certificate of its client, and a check has none; a `command` may ask"
                )
            }
            AlertDescription::UnrecognisedName if !self.is_named => format!("{what}: {NAME}"),
            AlertDescription::HandshakeFailure if self.is_named => {
                format!(
                    "{what}: it may want a certificate of its client, or an old cipher; a `command` may ask"
                )
            }
            AlertDescription::HandshakeFailure => {
                format!(
                    "{what}: {NAME}; if it wants a certificate of its client, or an old cipher, a `command` may ask"
                )
            }
            _ => what,
        }
    }

    fn shown(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.heard))
    }
}

/// The advice for a server without TLS.
fn instead(condition: &str) -> String {
    format!("if it {condition}, leave out the scheme of the check")
}
