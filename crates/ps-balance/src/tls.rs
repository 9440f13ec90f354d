//! The certificates and the configuration of TLS sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use balance::wire::Mode;
use balance_tls::{Certificates, News, Protocols, Source};
use tokio_rustls::rustls::ServerConfig;

use crate::clock;

/// How long it is until files are looked at again, while clients come.
const AGAIN: Duration = Duration::from_secs(1);

/// The certificates, and the configuration of sessions.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    watched: Mutex<Watched>,
}

/// The files of certificates, and when they were looked at last.
#[derive(Debug)]
struct Watched {
    certificates: Certificates,
    looked: Duration,
}

impl Tls {
    /// Reads the certificates, and returns a report about each.
    ///
    /// # Errors
    /// Not one of them can be shown, unless `may_wait`: then clients that speak TLS are refused until one can.
    pub(crate) fn new(sources: Vec<Source>, mode: Mode, may_wait: bool) -> Result<(Self, Vec<News>)> {
        let clock = SystemTime::now();
        let (mut certificates, mut news) = match Certificates::read(sources.clone(), clock) {
            Err(_) if may_wait => {
                let mut certificates = Certificates::unread(sources);
                let news = certificates.look(clock);
                (certificates, news)
            }
            read => read?,
        };
        // Nothing has changed since: it is said now which of them end soon.
        news.extend(certificates.look(clock));
        let protocols = match mode {
            Mode::Http => Protocols::Http2,
            Mode::Tcp => Protocols::Bytes,
        };
        let config = certificates.config(protocols)?;
        Ok((Self { config, watched: Mutex::new(Watched { certificates, looked: clock::now() }) }, news))
    }

    /// Reads those whose files have changed, if it is time to look again.
    pub(crate) fn look(&self) -> Vec<News> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        if now < watched.looked + AGAIN {
            return Vec::new();
        }
        watched.looked = now;
        watched.certificates.look(SystemTime::now())
    }
}
