//! Chooses the certificate for a client: the one for the name that it asks for, else the first.

use std::cmp::Reverse;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::names::Fit;
use crate::pair::Pair;

/// The certificates that are shown, changed while clients come.
#[derive(Debug, Default)]
pub(crate) struct Chooser(RwLock<Arc<[Pair]>>);

impl Chooser {
    /// From now on these are shown.
    pub(crate) fn show(&self, pairs: Vec<Pair>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pairs.into();
    }

    /// The one that fits best, of these the first whose key can sign as the client wants. One who asks for no name, or for a name that no
    /// certificate is for, is shown the first: it may know the server by its address.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let pairs = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let fit = |pair: &&Pair| name.map_or(Fit::None, |name| pair.names.fit(name));
        let can_sign = |pair: &&Pair| pair.key.key.choose_scheme(schemes).is_some();
        let best = pairs.iter().min_by_key(|pair| Reverse((fit(pair), can_sign(pair))));
        best.map(|pair| pair.key.clone())
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.choose(name.as_deref(), hello.signature_schemes())
    }
}
