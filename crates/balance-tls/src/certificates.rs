//! The certificates of a balancer and the configuration of its sessions.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};

use crate::chooser::Chooser;
use crate::entry::Entry;
use crate::flaw::Flaw;
use crate::news::News;
use crate::pair::Pair;
use crate::source::Source;

/// What is spoken in a session, which client and server settle in the handshake (ALPN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/2, or HTTP/1.1 with clients that do not know it.
    Http2,
    /// HTTP/1.1.
    Http1,
    /// Whatever client and backend speak: bytes are handed on, and nothing is settled.
    Bytes,
}

/// The certificates, each from two files.
#[derive(Debug)]
pub struct Certificates {
    entries: Vec<Entry>,
    chooser: Arc<Chooser>,
    provider: Arc<CryptoProvider>,
}

impl Certificates {
    /// Reads all certificates, and returns them with a report about each. `clock` is the time of day, by which a certificate has expired or not.
    ///
    /// # Errors
    /// None of the certificates can be used; the error is that of the first one.
    pub fn read(
        sources: impl IntoIterator<Item = Source>,
        clock: SystemTime,
    ) -> Result<(Self, Vec<News>), Flaw> {
        let mut all = Self::unread(sources);
        let (mut news, mut flaws) = (Vec::new(), Vec::new());
        for entry in &mut all.entries {
            match entry.read(&all.provider, clock) {
                Ok(taken) => news.push(taken),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if news.is_empty() {
            return Err(flaws.into_iter().next().unwrap_or(Flaw::Nothing));
        }
        news.extend(flaws.into_iter().map(|flaw| News::Refused { flaw, instead: None }));
        all.show();
        Ok((all, news))
    }

    /// Certificates of which nothing was read. None is shown until [`look`](Self::look) has found one that can be.
    pub fn unread(sources: impl IntoIterator<Item = Source>) -> Self {
        let entries = sources.into_iter().map(Entry::new).collect();
        Self { entries, chooser: Arc::default(), provider: Arc::new(ring::default_provider()) }
    }

    /// Checks whether files have changed, reads those again, and returns what there is to report. Existing sessions are not affected; new ones
    /// get the new certificate. Each certificate costs two system calls, so one check a second is enough.
    pub fn look(&mut self, clock: SystemTime) -> Vec<News> {
        let provider = &self.provider;
        let news: Vec<News> =
            self.entries.iter_mut().filter_map(|entry| entry.look(provider, clock)).collect();
        if !news.is_empty() {
            self.show();
        }
        news
    }

    /// The configuration of TLS sessions, which always uses the present certificates.
    ///
    /// # Errors
    /// The library for TLS refuses.
    pub fn config(&self, protocols: Protocols) -> Result<Arc<ServerConfig>, Flaw> {
        let builder =
            ServerConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Flaw::Setup(error.to_string()))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.chooser.clone());
        let names: &[&str] = match protocols {
            Protocols::Http2 => &["h2", "http/1.1"],
            Protocols::Http1 => &["http/1.1"],
            Protocols::Bytes => &[],
        };
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn show(&self) {
        let pairs: Vec<Pair> = self.entries.iter().filter_map(Entry::pair).cloned().collect();
        self.chooser.show(pairs);
    }
}
