//! A TLS session over a nonblocking connection.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, LazyLock};

use ps_probe::{Channel, Connection};
use rustix::event::PollFlags;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error};

use crate::anyone::Anyone;
use crate::fault::{Fault, Opening};

/// A TLS session with a server.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    /// The session, or the error that prevents it. The error is returned when bytes are to be sent.
    tls: Result<Box<ClientConnection>, Error>,
    opening: Opening,
}

/// The configuration that all sessions of a process share.
static CONFIG: LazyLock<Result<Arc<ClientConfig>, Error>> = LazyLock::new(|| {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    // Sessions are never resumed, so their data are not kept.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
});

impl Session {
    /// A session over a connection that is being established. `host` is the server name that is sent in the handshake (SNI), by
    /// which the server may choose its certificate; an IP address is not sent.
    pub fn over(connection: Connection, host: Option<&str>) -> Self {
        let named = host.and_then(|host| ServerName::try_from(host.to_owned()).ok());
        let opening = Opening::new(connection.address(), named.is_some());
        let name = named.unwrap_or_else(|| ServerName::IpAddress(connection.address().ip().into()));
        let tls = CONFIG.clone().and_then(|config| ClientConnection::new(config, name)).map(Box::new);
        Self { connection, tls, opening }
    }

    /// Sends the waiting bytes, as far as that does not block.
    fn flush(&mut self) -> Result<(), String> {
        let Ok(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut Outgoing(&self.connection)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(self.opening.tell(&Fault::Cut(error))),
            }
        }
        Ok(())
    }

    /// Reads the bytes that have arrived; `false` if there are none.
    fn take_in(&mut self) -> Result<bool, String> {
        let tls = self.tls.as_mut().map_err(|error| self.opening.tell(&Fault::Tls(error.clone())))?;
        let is_handshaking = tls.is_handshaking();
        match tls.read_tls(&mut Incoming(&self.connection, &mut self.opening)) {
            Ok(0) if is_handshaking => return Err(self.opening.tell(&Fault::Closed)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if is_handshaking => return Err(self.opening.tell(&Fault::Cut(error))),
            Err(error) => return Err(error.to_string()),
        }
        if let Err(error) = tls.process_new_packets() {
            // This sends the TLS alert to the server. Whether it arrives does not matter.
            let _ = self.flush();
            return Err(self.opening.tell(&Fault::Tls(error)));
        }
        Ok(true)
    }

    fn is_handshaking(&self) -> bool {
        self.tls.as_ref().map_or(true, |tls| tls.is_handshaking())
    }
}

impl Channel for Session {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn waits_for(&self, _: PollFlags) -> PollFlags {
        let has_to_send = self.tls.as_ref().is_ok_and(|tls| tls.wants_write());
        if has_to_send { PollFlags::OUT } else { PollFlags::IN }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        self.flush()?;
        while self.is_handshaking() {
            if !self.take_in()? {
                return Ok(None);
            }
            self.flush()?;
        }
        let Ok(tls) = &mut self.tls else { return Ok(None) };
        let taken = tls.writer().write(bytes).map_err(|error| error.to_string())?;
        self.flush()?;
        Ok(Some(taken).filter(|taken| *taken > 0))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        loop {
            self.flush()?;
            let Ok(tls) = &mut self.tls else { return Ok(None) };
            match tls.reader().read(buffer) {
                Ok(count) => return Ok(Some(count)),
                // Many servers close the connection without ending the session.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.to_string()),
            }
            if !self.take_in()? {
                return Ok(None);
            }
        }
    }

    fn late(&self, within: &str) -> Option<String> {
        self.is_handshaking().then(|| self.opening.late(within))
    }
}

/// The connection from which rustls reads. The first bytes are recorded.
struct Incoming<'a>(&'a Connection, &'a mut Opening);

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.take(buffer)?.ok_or(ErrorKind::WouldBlock)?;
        self.1.hear(&buffer[..count]);
        Ok(count)
    }
}

/// The connection to which rustls writes.
struct Outgoing<'a>(&'a Connection);

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes)?.ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
