//! A connection that is no longer HTTP on both sides, such as a websocket.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::claim::Claim;

/// Two connections that belong together once both are no longer HTTP. It counts as one of its backend until it ends.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) backend: OnUpgrade,
    pub(crate) claim: Claim,
}

impl Tunnel {
    /// Passes everything on until both sides have ended.
    pub(crate) async fn pass(self) {
        let _claim = self.claim;
        let (Ok(client), Ok(backend)) = (self.client.await, self.backend.await) else { return };
        // How it ended has been said to both sides.
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(backend)).await;
    }
}
