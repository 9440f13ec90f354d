//! The TLS handshake. A client that does not speak TLS, or sends nothing, affects no other client: it has a few
//! seconds, and reaches no backend.

use std::sync::Arc;
use std::time::Duration;

use balance::wire::Report;
use balance_tls::News;
use ps_cli::say;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::balancer::Balancer;
use crate::counted::Counted;
use crate::talk::Controls;
use crate::tls::Tls;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// With what requests by HTTP/1 begin, and how long the longest of these is.
const METHODS: [&[u8]; 8] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"CONNECT "];
const LONGEST_METHOD: usize = 8;
/// What a client is told that asks without TLS.
const WITHOUT_TLS: &str =
    "This port speaks TLS, and the request came without: ask by https:// in place of http://.\n";
/// How much more of such a request is read, and for how long at most.
const MOST_UNREAD: u64 = 64 * 1024;
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Agrees on TLS with a client. None: it is over, and the client was told why if it understands that.
pub(crate) async fn agree(balancer: &Balancer, tls: &Tls, io: Counted) -> Option<TlsStream<Counted>> {
    tell(&balancer.controls, &tls.look());
    let agreed = timeout(PATIENCE, begin(tls, io)).await.ok().flatten();
    if agreed.is_none() {
        balancer.is_unsecured();
    }
    agreed
}

/// The same, without a limit.
async fn begin(tls: &Tls, mut io: Counted) -> Option<TlsStream<Counted>> {
    if is_http(io.peek(&mut [0; LONGEST_METHOD]).await.ok()?) {
        turn_away(&mut io).await;
        return None;
    }
    TlsAcceptor::from(Arc::clone(&tls.config)).accept(io).await.ok()
}

/// Whether this is the begin of a request by HTTP/1 without TLS. A TLS client begins with a byte that is no letter.
fn is_http(begin: &[u8]) -> bool {
    METHODS.iter().any(|method| begin.starts_with(method))
}

/// Answers a client that speaks HTTP where TLS is spoken. How much of that the client reads is its own affair.
async fn turn_away(io: &mut Counted) {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{WITHOUT_TLS}",
        WITHOUT_TLS.len()
    );
    if io.write_all(answer.as_bytes()).await.is_err() || io.shutdown().await.is_err() {
        return;
    }
    // Closed with unread bytes in it, the socket would be reset, and the answer could be lost with that.
    let _ = timeout(LAST_WORDS, tokio::io::copy(&mut io.take(MOST_UNREAD), &mut tokio::io::sink())).await;
}

/// Says what has become of certificates, to people and to the supervisor.
pub(crate) fn tell(controls: &Controls, news: &[News]) {
    for it in news {
        let text = it.to_string();
        say::failure(&format!("ps-balance: {text}"));
        let ends_soon = matches!(it, News::Soon(_));
        let taken = ends_soon || matches!(it, News::Taken { .. });
        controls.tell(&Report::Certificate { taken, ends_soon, text });
    }
}
