//! The TLS handshake. A client that does not speak TLS, or sends nothing, affects no other client: it has a few
//! seconds, and reaches no backend.

use std::sync::Arc;
use std::time::Duration;

use balance::wire::Report;
use balance_tls::News;
use ps_cli::say;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::balancer::Balancer;
use crate::counted::Counted;
use crate::talk::Controls;
use crate::tls::Tls;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Agrees on TLS with a client. None: it is over, and the client was told why if it understands that.
pub(crate) async fn agree(balancer: &Balancer, tls: &Tls, io: Counted) -> Option<TlsStream<Counted>> {
    tell(&balancer.controls, &tls.look());
    let agreed = timeout(PATIENCE, TlsAcceptor::from(Arc::clone(&tls.config)).accept(io)).await;
    let agreed = agreed.ok().and_then(Result::ok);
    if agreed.is_none() {
        balancer.is_unsecured();
    }
    agreed
}

/// Says what has become of certificates, to people and to the supervisor.
pub(crate) fn tell(controls: &Controls, news: &[News]) {
    for it in news {
        let text = it.to_string();
        say::failure(&format!("ps-balance: {text}"));
        controls.tell(&Report::Certificate { taken: matches!(it, News::Taken { .. }), text });
    }
}
