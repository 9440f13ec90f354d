//! Serves a TLS connection: decrypts the client's bytes and passes them on to a backend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use balance::{Fault, ProxyVersion};
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::arrival::{self, Origin};
use crate::balancer::Balancer;
use crate::claim::{Claim, Presence};
use crate::connection::{Connection, is_reset};
use crate::counted::Counted;
use crate::tls::Tls;
use crate::{clock, dial, handshake};

/// How many bytes are read at once, in each direction: those of a record.
const BUFFER: usize = 16 * 1024;

/// Serves a connection to its end.
pub(crate) async fn serve(
    balancer: Arc<Balancer>,
    connection: Arc<Connection>,
    presence: Presence,
    tls: Arc<Tls>,
) {
    // Dropped when the connection is over, or its task is cut: behind the claim of its backend.
    let _presence = presence;
    let Some((origin, io)) = arrival::take(&balancer, &connection).await else { return };
    let Some(client) = handshake::agree(&balancer, &tls, io).await else { return };
    let exchange = connection.begin_exchange(Arc::clone(&connection.work));
    let Some((claim, backend)) = dial::find(&balancer, &connection, clock::now()).await else {
        balancer.refuse();
        client.get_ref().0.reset_when_closed();
        return;
    };
    exchange.is_at(claim.key);
    // How it ended has been said to both sides.
    let both = Both { client, backend, is_whole: false, claim };
    let _ = both.pass(&origin, balancer.manner().proxy_out()).await;
}

/// Both sides of a connection.
struct Both {
    client: TlsStream<Counted>,
    backend: TcpStream,
    claim: Claim,
    /// Whether each has got all that the other one has sent.
    is_whole: bool,
}

impl Both {
    /// Passes everything on until both have ended.
    async fn pass(mut self, origin: &Origin, version: Option<ProxyVersion>) -> io::Result<()> {
        if let Some(version) = version {
            let server = origin.server.map_or_else(|| self.backend.local_addr(), Ok::<SocketAddr, _>)?;
            self.backend.write_all(&arrival::header(version, origin.client, server)?).await?;
        }
        let passed = copy_bidirectional_with_sizes(&mut self.client, &mut self.backend, BUFFER, BUFFER).await;
        if passed.is_err() && is_reset(&self.backend) {
            self.claim.broke(Fault::Broken);
        }
        passed?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for Both {
    /// Whoever gets only a part of what was sent must be able to tell that from the end.
    fn drop(&mut self) {
        if !self.is_whole {
            self.client.get_ref().0.reset_when_closed();
            // If the option cannot be set, the connection is closed in the ordinary way.
            let _ = self.backend.set_zero_linger();
        }
    }
}
